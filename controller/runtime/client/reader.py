"""The reading verbs: get, list, watch. `into` says what objects become: dict, or a msgspec Struct."""

import builtins
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Final

from controller.runtime.client.collection import DICT, ListPage, ObjectList, Selection, T
from controller.runtime.client.decoding import decode_event, decode_into, decode_list
from controller.runtime.client.errors import Gone
from controller.runtime.client.framing import LineFramer
from controller.runtime.client.resource import Resource
from controller.runtime.client.sender import Sender
from controller.runtime.client.transport import HttpRequest
from controller.runtime.objects.metadata import PartialObject

# Added to the server's own end of a watch: a stream that outlives it hangs on a half-open socket.
_IDLE_GUARD_SECONDS: Final = 5.0
_LIST_TIMEOUT_SECONDS: Final = 60.0


class Reader:
    """Reads objects through a sender."""

    def __init__(self, sender: Sender) -> None:
        self._sender = sender

    async def get(self, resource: Resource, name: str, namespace: str | None = None, *, into: type[T] = DICT) -> T:
        """One object. Raises NotFound."""
        return decode_into(await self._sender.send(HttpRequest("GET", resource.path(namespace, name)), None), into)

    async def list(
        self,
        resource: Resource,
        namespace: str | None = None,
        *,
        label_selector: str | None = None,
        field_selector: str | None = None,
        resource_version: str | None = None,
        limit: int = 500,
        into: type[T] = DICT,
    ) -> ObjectList[T]:
        """The whole collection, fetched in pages of `limit` (0: in one).

        `resource_version` None reads the latest state, "0" whatever the server has at hand. When the server
        forgets the pages' version half way, the list starts again once; then Gone is raised.
        """
        selection = Selection(namespace, label_selector, field_selector)
        try:
            return await self._all_pages(resource, selection, resource_version, limit, into)
        except Gone:
            return await self._all_pages(resource, selection, None, limit, into)

    async def list_page(
        self,
        resource: Resource,
        selection: Selection,
        *,
        resource_version: str | None = None,
        limit: int = 500,
        continue_token: str | None = None,
        into: type[T] = DICT,
    ) -> ListPage[T]:
        """One page. With a `continue_token` the version is the first page's. Raises Gone when it is too old."""
        params = selection.params()
        if limit:
            params["limit"] = str(limit)
        if continue_token:
            params["continue"] = continue_token
        elif resource_version:
            params["resourceVersion"] = resource_version
            params["resourceVersionMatch"] = "NotOlderThan"
        request = HttpRequest("GET", resource.path(selection.namespace), params, timeout=_LIST_TIMEOUT_SECONDS)
        return decode_list(await self._sender.send(request, None), resource, into)

    async def watch(
        self,
        resource: Resource,
        namespace: str | None = None,
        *,
        resource_version: str | None,
        label_selector: str | None = None,
        field_selector: str | None = None,
        timeout_seconds: int = 300,
        initial_events: bool = False,
        into: type[T] = DICT,
    ) -> AsyncGenerator[tuple[str, T | PartialObject], None]:
        """Events (type, object) after `resource_version`, bookmarks among them, until the server ends the watch.

        With `initial_events` an ADDED for each object that is there comes first, in no order, and then a bookmark
        annotated `k8s.io/initial-events-end`; the state is at least as new as `resource_version` (None: the latest).
        A BOOKMARK's object is a PartialObject when `into` is a Struct.

        The server is asked to end after `timeout_seconds`; 5 s later we do (Timeout). An ERROR event raises its
        type (Gone when the version is too old), a line that is no event Unavailable. Close the iterator when you
        leave early (`contextlib.aclosing`).
        """
        params = {
            **Selection(namespace, label_selector, field_selector).params(),
            "watch": "true",
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(timeout_seconds),
        }
        if resource_version is not None:
            params["resourceVersion"] = resource_version
        if initial_events:
            params |= {"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan"}
        timeout = timeout_seconds + _IDLE_GUARD_SECONDS
        framer = LineFramer()
        request = HttpRequest("GET", resource.path(namespace), params, timeout=timeout)
        async with aclosing(self._sender.stream(request)) as pieces:
            async for piece in pieces:
                for line in framer.feed(piece):
                    yield decode_event(line, into)

    async def _all_pages(
        self, resource: Resource, selection: Selection, resource_version: str | None, limit: int, into: type[T]
    ) -> ObjectList[T]:
        items: builtins.list[T] = []
        token: str | None = None
        while True:
            page = await self.list_page(
                resource, selection, resource_version=resource_version, limit=limit, continue_token=token, into=into
            )
            items.extend(page.items)
            token = page.continue_token
            if token is None:
                return ObjectList(items, page.resource_version)
