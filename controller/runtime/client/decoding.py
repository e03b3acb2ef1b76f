"""Bytes of the wire to objects: dicts by orjson, msgspec Structs by one decoder a type.

The type is known before an object is decoded: a list is decoded in one pass into its items' type, and a watch line
is split into its event type and the object's raw bytes first, because a bookmark is not a whole object.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Generic, TypeVar, cast

import msgspec
import orjson

from controller.runtime.client.collection import ListPage
from controller.runtime.client.errors import Unavailable, error_of_status
from controller.runtime.client.resource import Resource
from controller.runtime.manifest import Manifest
from controller.runtime.objects.metadata import KubeObject, PartialObject

T = TypeVar("T")

# Decoding allocates only containers that live on, so each collection it triggers finds nothing: 5,000 pods took
# 213 us each with the collector on and 52-71 us with it off. Small bodies trigger none.
_BIG_BYTES = 256 * 1024
_QUOTED_BYTES = 200
# What msgspec raises: text that is no UTF-8 and nesting without end are not among its own errors.
_UNDECODABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class _ListMeta(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    resource_version: str | None = None
    continue_: str | None = msgspec.field(default=None, name="continue")


class _List(msgspec.Struct, Generic[T], frozen=True, gc=False):
    metadata: _ListMeta | None = None
    items: list[T] | None = None


_LIST_OF: Any = _List  # subscripted with types that are known at run time only


class _Event(msgspec.Struct, frozen=True, gc=False):
    type: str
    object: msgspec.Raw


_event_decoder = msgspec.json.Decoder(_Event)
# Built once a type: a decoder is a compiled plan of the whole tree of structs.
_decoders: dict[type[Any], msgspec.json.Decoder[Any]] = {}
_list_decoders: dict[type[Any], msgspec.json.Decoder[Any]] = {}


def decode(body: bytes) -> Manifest:
    """The object in `body`. Raises Unavailable when it is no JSON object: then no API server sent it."""
    with _collector_off(len(body) > _BIG_BYTES):
        try:
            decoded: Any = orjson.loads(body)
        except orjson.JSONDecodeError as error:
            raise Unavailable(0, "NotJSON", f"an answer that is no JSON: {_quoted(body)}") from error
    if not isinstance(decoded, dict):
        raise Unavailable(0, "NotAnObject", f"an answer that is no JSON object: {_quoted(body)}")
    return decoded


def decode_into(body: bytes, into: type[T]) -> T:
    """The object in `body` as `into`: dict, or a msgspec Struct. Raises Unavailable when it does not fit."""
    if into is dict:
        decoded = decode(body)
        if not isinstance(decoded.get("metadata"), dict):
            raise Unavailable(0, "NotAnObject", f"an answer that is no object with metadata: {_quoted(body)}")
        return cast("T", decoded)
    with _collector_off(len(body) > _BIG_BYTES):
        return _decode_struct(body, into)


def decode_list(body: bytes, resource: Resource, into: type[T]) -> ListPage[T]:
    """A list of `resource` with items of type `into`, each with the apiVersion and kind that lists leave out.

    Raises Unavailable when it is no list, or when an item has no name.
    """
    if into is dict:
        return cast("ListPage[T]", _dict_page(body, resource))
    with _collector_off(len(body) > _BIG_BYTES):
        try:
            found: _List[T] = _list_decoder_of(into).decode(body)
        except _UNDECODABLE as error:
            raise _misfit(body, into, error) from error
    items = found.items or []
    if any(map(_is_nameless, items)):
        raise _no_list(body)
    if items and isinstance(items[0], KubeObject) and not items[0].kind:
        for item in items:
            _complete(item, resource)
    metadata = found.metadata or _ListMeta()
    return ListPage(items, metadata.resource_version or "", metadata.continue_ or None)


def decode_event(line: bytes, into: type[T]) -> tuple[str, T | PartialObject]:
    """One line of a watch: its type, and its object as `into` (a bookmark's as PartialObject when that is a Struct).

    An ERROR event raises its own type; a line that is no event Unavailable.
    """
    if into is dict:
        return cast("tuple[str, T]", _dict_event(line))
    try:
        event = _event_decoder.decode(line)
    except _UNDECODABLE as error:
        raise _no_event(line) from error
    if event.type == "ERROR":
        raise error_of_status(decode(bytes(event.object)))
    if event.type == "BOOKMARK":
        return event.type, _decode_struct(event.object, PartialObject)
    found = _decode_struct(event.object, into)
    if _is_nameless(found):
        raise _no_event(line)
    return event.type, found


def _dict_event(line: bytes) -> tuple[str, Manifest]:
    event = decode(line)
    kind, obj = event.get("type"), event.get("object")
    if kind == "ERROR" and isinstance(obj, dict):
        raise error_of_status(obj)
    if not isinstance(kind, str) or not isinstance(obj, dict) or not isinstance(obj.get("metadata"), dict):
        raise _no_event(line)
    if kind != "BOOKMARK" and not _is_named(obj):
        raise _no_event(line)
    return kind, obj


def _dict_page(body: bytes, resource: Resource) -> ListPage[Manifest]:
    answer = decode(body)
    items, metadata = answer.get("items") or [], answer.get("metadata") or {}
    if not isinstance(items, list) or not isinstance(metadata, dict) or not all(map(_is_named, items)):
        raise _no_list(body)
    version, token = metadata.get("resourceVersion") or "", metadata.get("continue") or None
    if not isinstance(version, str) or not isinstance(token, str | None):
        raise _no_list(body)
    for item in items:
        item.setdefault("apiVersion", resource.api_version)
        item.setdefault("kind", resource.kind)
    return ListPage(items, version, token)


def _is_named(obj: Any) -> bool:
    """Whether a cache can keep the dict `obj`: what a server lists or watches has a name, and a version of text."""
    metadata = obj.get("metadata") if isinstance(obj, dict) else None
    if not isinstance(metadata, dict) or not metadata.get("name"):
        return False
    texts = (metadata["name"], metadata.get("namespace", ""), metadata.get("resourceVersion", ""))
    return all(isinstance(text, str) for text in texts)


def _is_nameless(obj: Any) -> bool:
    """Whether the decoded `obj` is a KubeObject that no cache can keep."""
    return isinstance(obj, KubeObject) and not obj.metadata.name


def _complete(item: Any, resource: Resource) -> None:
    msgspec.structs.force_setattr(item, "api_version", resource.api_version)
    msgspec.structs.force_setattr(item, "kind", resource.kind)


def _decode_struct(body: bytes | msgspec.Raw, into: type[T]) -> T:
    try:
        decoded: T = _decoder_of(into).decode(body)
    except _UNDECODABLE as error:
        raise _misfit(body, into, error) from error
    return decoded


def _decoder_of(into: type[Any]) -> msgspec.json.Decoder[Any]:
    decoder = _decoders.get(into)
    if decoder is None:
        decoder = _decoders[into] = msgspec.json.Decoder(into)
    return decoder


def _list_decoder_of(into: type[Any]) -> msgspec.json.Decoder[Any]:
    decoder = _list_decoders.get(into)
    if decoder is None:
        decoder = _list_decoders[into] = msgspec.json.Decoder(_LIST_OF[into])
    return decoder


def _misfit(body: bytes | msgspec.Raw, into: type[Any], error: Exception) -> Unavailable:
    return Unavailable(0, "NotDecodable", f"an answer that is no {into.__name__} ({error}): {_quoted(bytes(body))}")


def _no_list(body: bytes) -> Unavailable:
    return Unavailable(0, "NotAList", f"an answer that is no list of objects: {_quoted(body)}")


def _no_event(line: bytes) -> Unavailable:
    return Unavailable(0, "NotAnEvent", f"a watch line that is no event: {_quoted(line)}")


def _quoted(body: bytes) -> str:
    return repr(body[:_QUOTED_BYTES])


@contextmanager
def _collector_off(wanted: bool) -> Iterator[None]:
    if not (wanted and gc.isenabled()):
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
