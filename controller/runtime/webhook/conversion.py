"""ConversionReview v1, decoded and encoded, and the rules that a conversion must keep. Pure.

An API server sends a whole list in one review, so objects stay bytes until it is their turn: a chunk is decoded,
converted, checked and encoded before the next one, and whoever drives this may give way in between.

A handler may change everything of an object but its kind and its metadata other than labels and annotations. The API
server would put most of such changes right without a word; here they are refused, and named.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import orjson

from controller.runtime.manifest import Manifest
from controller.runtime.webhook.review import MalformedReview

API_VERSION = "apiextensions.k8s.io/v1"
KIND = "ConversionReview"

ConversionHandler = Callable[[str, list[Manifest]], list[Manifest]]
"""(desired apiVersion, objects) -> the same objects in that version, as many and in that order.

Must be a pure function: it may be asked again for the same objects, one at a time, to find the one that it cannot
convert. May change the objects it is given. Raises ConversionFailed.
"""

# Some five milliseconds of decoding and encoding; what the handler does comes on top.
_CHUNK_BYTES = 256 * 1024
_CHUNK_OBJECTS = 32
# Labels and annotations are a conversion's to change, the rest of the metadata is not.
_FREE_METADATA = frozenset({"labels", "annotations"})


class ConversionFailed(ValueError):
    """An object cannot be converted; the text is shown to whoever asked for it, with the object's kind and name."""


@dataclass(frozen=True, slots=True)
class ConversionRequest:
    """What the API server asks: these objects (JSON, in whatever version they are stored in) in another version."""

    uid: str
    desired_api_version: str
    objects: tuple[msgspec.Raw, ...]

    def chunks(self) -> Iterator[Sequence[msgspec.Raw]]:
        """The objects in order, a few at a time: at most 32, and 256 KiB unless a single one is larger."""
        start = size = 0
        for position, raw in enumerate(self.objects):
            length = len(memoryview(raw))
            if position > start and (size + length > _CHUNK_BYTES or position - start == _CHUNK_OBJECTS):
                yield self.objects[start:position]
                start, size = position, 0
            size += length
        if self.objects:
            yield self.objects[start:]


class _Request(msgspec.Struct, rename="camel"):
    uid: str
    desired_api_version: str = msgspec.field(name="desiredAPIVersion")
    objects: list[msgspec.Raw]


class _Review(msgspec.Struct, rename="camel"):
    api_version: str | None = None
    kind: str | None = None
    request: _Request | None = None


_decoder = msgspec.json.Decoder(_Review)


def decode_conversion(body: bytes) -> ConversionRequest:
    """The question in `body`. Raises MalformedReview; objects are looked into only when they are converted."""
    try:
        review = _decoder.decode(body)
    except msgspec.ValidationError as error:
        raise MalformedReview(f"{error}; send a {KIND} of {API_VERSION}") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise MalformedReview(f"body: not JSON ({error}); send a {KIND}") from error
    if review.kind != KIND or review.api_version != API_VERSION:
        raise MalformedReview(f"apiVersion/kind '{review.api_version}/{review.kind}': expected {API_VERSION}/{KIND}")
    request = review.request
    if request is None:
        raise MalformedReview("request None: expected an object")
    if not request.uid or not request.desired_api_version:
        raise MalformedReview("request.uid and request.desiredAPIVersion: one is empty; send both")
    return ConversionRequest(request.uid, request.desired_api_version, tuple(request.objects))


def convert(handler: ConversionHandler, desired: str, objects: Sequence[msgspec.Raw]) -> list[bytes]:
    """`objects` in the version `desired`, encoded, as many and in the same order.

    Raises ConversionFailed that names the object and the reason, MalformedReview for what is no Kubernetes object. A
    handler's own exception is the cause of the ConversionFailed, which then tells the user its type only.
    """
    if len(objects) > 1:
        try:
            return _convert_all(handler, desired, objects)
        except MalformedReview:
            raise
        except Exception:  # noqa: BLE001 - not swallowed: it comes again, with the one object that is at fault
            return [_convert_one(handler, desired, raw) for raw in objects]
    return [_convert_one(handler, desired, raw) for raw in objects]


def encode_converted(uid: str, objects: Sequence[bytes]) -> list[bytes]:
    """The ConversionReview that answers the question `uid`, in pieces to be sent one after the other."""
    head = orjson.dumps({"apiVersion": API_VERSION, "kind": KIND, "response": {"uid": uid}}).removesuffix(b"}}")
    pieces = [head, b',"result":{"status":"Success"},"convertedObjects":[']
    for position, encoded in enumerate(objects):
        if position:
            pieces.append(b",")
        pieces.append(encoded)
    pieces.append(b"]}}")
    return pieces


def encode_failure(uid: str, message: str) -> list[bytes]:
    """The ConversionReview that says why nothing was converted; `message` is shown to the user."""
    response = {"uid": uid, "convertedObjects": [], "result": {"status": "Failure", "message": message}}
    return [orjson.dumps({"apiVersion": API_VERSION, "kind": KIND, "response": response})]


def _convert_one(handler: ConversionHandler, desired: str, raw: msgspec.Raw) -> bytes:
    original = _decode(raw)
    name = _describe(original)
    try:
        return _convert_all(handler, desired, [raw])[0]
    except ConversionFailed as error:
        raise ConversionFailed(f"{name} to {desired}: {error}") from error.__cause__
    except Exception as error:
        raise ConversionFailed(f"{name} to {desired}: the handler failed with {type(error).__name__}") from error


def _convert_all(handler: ConversionHandler, desired: str, raws: Sequence[msgspec.Raw]) -> list[bytes]:
    """Convert what is not in the desired version already, and check the outcome. Raises whatever the handler does."""
    objects = [_decode(raw) for raw in raws]
    places = [place for place, obj in enumerate(objects) if obj["apiVersion"] != desired]
    before = [(_describe(objects[place]), objects[place]["kind"], _fixed(objects[place])) for place in places]
    converted = handler(desired, [objects[place] for place in places]) if places else []
    if len(converted) != len(places):
        raise ConversionFailed(f"the handler gave {len(converted)} objects for {len(places)}")
    encoded = [bytes(raw) for raw in raws]
    for place, (name, kind, fixed), obj in zip(places, before, converted, strict=True):
        _check(desired, name, kind, fixed, obj)
        encoded[place] = orjson.dumps(obj)
    return encoded


def _decode(raw: msgspec.Raw) -> Manifest:
    try:
        decoded: Any = orjson.loads(memoryview(raw))
    except orjson.JSONDecodeError as error:
        raise MalformedReview(f"request.objects: not JSON ({error})") from error
    if not isinstance(decoded, dict):
        raise MalformedReview(f"request.objects: holds a {type(decoded).__name__}; send objects")
    for field in ("apiVersion", "kind"):
        if not isinstance(decoded.get(field), str):
            raise MalformedReview(f"request.objects: {field} {decoded.get(field)!r:.100} of one; send a string")
    if not isinstance(decoded.get("metadata", {}), dict):
        raise MalformedReview(f"request.objects: metadata {decoded['metadata']!r:.100} of one; send an object")
    return decoded


def _describe(obj: Manifest) -> str:
    metadata = obj.get("metadata", {})
    name = metadata.get("name") or "(no name)"
    namespace = metadata.get("namespace")
    return f"{obj['kind']} {namespace}/{name}" if namespace else f"{obj['kind']} {name}"


def _fixed(obj: Manifest) -> bytes:
    """What a conversion must leave alone, as bytes: a handler may change the very dicts it was given."""
    metadata = obj.get("metadata", {})
    return orjson.dumps(
        {name: value for name, value in metadata.items() if name not in _FREE_METADATA}, option=orjson.OPT_SORT_KEYS
    )


def _check(desired: str, name: str, kind: str, fixed: bytes, obj: Any) -> None:
    if not isinstance(obj, dict):
        raise ConversionFailed(f"the handler gave a {type(obj).__name__} for {name}")
    if obj.get("apiVersion") != desired:
        raise ConversionFailed(f"the handler gave apiVersion {obj.get('apiVersion')!r}")
    if obj.get("kind") != kind:
        raise ConversionFailed(f"the handler changed kind from {kind!r} to {obj.get('kind')!r}")
    if not isinstance(obj.get("metadata", {}), dict):
        raise ConversionFailed("the handler gave metadata that is no object")
    if _fixed(obj) != fixed:
        raise ConversionFailed(_difference(orjson.loads(fixed), obj.get("metadata", {})))


def _difference(before: Manifest, after: Manifest) -> str:
    differing = sorted(
        field for field in before.keys() | after.keys() - _FREE_METADATA if before.get(field) != after.get(field)
    )
    named = ", ".join(f"metadata.{field}" for field in differing) or "metadata"
    return f"the handler changed {named}; a conversion may change labels and annotations only"
