"""Where it is measured: a quiet local control plane, filled with objects, and a client of our own to fill it."""

import asyncio
import os
import re
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable
from contextlib import aclosing, asynccontextmanager
from typing import Any

from controller.runtime.client.client import Client, Selection
from controller.runtime.client.configuration import ClientConfiguration
from controller.runtime.client.core import NAMESPACES, PODS
from e2e.plane import Plane
from e2e.plane.components import CONTROLLER_MANAGER, KWOK, SCHEDULER
from tests.benchmarks.controller.contender import move
from tests.benchmarks.controller.objects import WIDGETS, WIDGETS_FILE, Object, pod, pod_status, widget
from tests.benchmarks.controller.settings import PINNED

PODS_NAMESPACE = "bench-pods"
_AT_A_TIME = 32
_REQUESTS = re.compile(r"^apiserver_request_total\{([^}]*)\} (\S+)$", re.MULTILINE)

Counted = Callable[[int], object]
"""Told how many objects are made, now and then."""


class Site:
    """The running plane and a client for the harness."""

    def __init__(self, plane: Plane, client: Client) -> None:
        self.plane = plane
        self.client = client
        self._all = frozenset(os.sched_getaffinity(0))

    def place(self, placement: str) -> frozenset[int]:
        """Move the plane and this process where `placement` wants them; the processors left for a controller."""
        rest = self._all - {max(self._all)}
        pinned = placement == PINNED and bool(rest)
        ours = rest if pinned else self._all
        for child in self.plane.children().values():
            if child.code is None:
                move(child.pid, ours)
        move(os.getpid(), ours)
        return self._all - rest if pinned else self._all

    async def make_widgets(self, count: int, told: Counted) -> str:
        """`count` widgets in a namespace of their own, which is returned."""
        namespace = widgets_namespace(count)
        await self._make_namespace(namespace)
        await self._all_of(
            range(count), lambda index: self.client.create(WIDGETS, widget(index, namespace), namespace), told
        )
        return namespace

    async def make_pods(self, count: int, told: Counted) -> None:
        """`count` running pods, on nodes that do not exist: `be_quiet` first, or they are collected as orphans."""

        async def make(index: int) -> None:
            created = await self.client.create(PODS, pod(index, PODS_NAMESPACE), PODS_NAMESPACE)
            name, patch = created["metadata"]["name"], {"status": pod_status(index)}
            await self.client.merge_patch(PODS, name, patch, PODS_NAMESPACE, subresource="status")

        await self._all_of(range(count), make, told)

    async def be_quiet(self) -> None:
        """End what would work beside the measurement: nothing but etcd and the API server is left."""
        await self._make_namespace(PODS_NAMESPACE)
        account = f"/api/v1/namespaces/{PODS_NAMESPACE}/serviceaccounts/default"
        # admission refuses pods until the controllers have made the account
        there = lambda: self.plane.admin.find(account) is not None  # noqa: E731
        await asyncio.to_thread(self.plane.wait_until, there, f"{account} is there")
        for component in (CONTROLLER_MANAGER, SCHEDULER, KWOK):
            self.plane.kill(component)

    async def widget_requests(self) -> float:
        """Requests about widgets that the API server has answered, watches left out: those count when they end."""
        text = (await self.client.request("GET", "/metrics")).decode()
        wanted = f'resource="{WIDGETS.plural}"'
        found = [(labels, float(value)) for labels, value in _REQUESTS.findall(text)]
        return sum(value for labels, value in found if wanted in labels and 'verb="WATCH"' not in labels)

    async def version(self, namespace: str) -> str:
        """The resourceVersion of the widgets now."""
        page = await self.client.list_page(WIDGETS, Selection(namespace), limit=1)
        return page.resource_version

    async def events(self, namespace: str, version: str) -> AsyncGenerator[Object, None]:
        """Every state of the widgets after `version`, as this process sees it."""
        stream = self.client.watch(WIDGETS, namespace, resource_version=version, timeout_seconds=600)
        async with aclosing(stream) as watched:
            async for _, obj in watched:
                assert isinstance(obj, dict)
                yield obj

    async def annotate(self, namespace: str, name: str, key: str, value: str) -> None:
        """Change one annotation of a widget."""
        await self.client.merge_patch(WIDGETS, name, {"metadata": {"annotations": {key: value}}}, namespace)

    async def _make_namespace(self, name: str) -> None:
        await self.client.create(NAMESPACES, {"metadata": {"name": name}})

    @staticmethod
    async def _all_of(indices: Iterable[int], make: Callable[[int], Any], told: Counted) -> None:
        left = iter(indices)

        async def work() -> None:
            for index in left:
                await make(index)
                if index % 100 == 0:
                    told(index)

        async with asyncio.TaskGroup() as tasks:
            for _ in range(_AT_A_TIME):
                tasks.create_task(work())


def widgets_namespace(count: int) -> str:
    """Where `count` widgets live."""
    return f"bench-widgets-{count}"


@asynccontextmanager
async def opened(**arguments: Any) -> AsyncIterator[Site]:
    """A site on a plane of its own; `arguments` go to the plane."""
    async with Plane(manifests=[WIDGETS_FILE], **arguments) as plane:
        configuration = ClientConfiguration.from_kubeconfig(plane.kubeconfig)
        async with Client(configuration, user_agent="bench-harness") as client:
            yield Site(plane, client)
