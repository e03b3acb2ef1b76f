"""Bytes become dicts or structs, lists in one pass, and what does not fit is named."""

import gc
from collections.abc import Callable
from typing import Any

import orjson
import pytest

from controller.runtime.client import decoding
from controller.runtime.client.core import NODES, PODS
from controller.runtime.client.decoding import decode, decode_event, decode_into, decode_list
from controller.runtime.client.errors import Gone, Unavailable
from controller.runtime.manifest import Manifest
from controller.runtime.objects.metadata import KubeObject, PartialObject
from controller.runtime.objects.pod import Pod

POD: Manifest = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"namespace": "a", "name": "b", "resourceVersion": "7", "managedFields": [{}]},
    "spec": {"nodeName": "n", "containers": [{"name": "main", "image": "i", "env": []}], "volumes": []},
}


def listed(*items: Manifest, **metadata: str) -> bytes:
    bare = [{key: value for key, value in item.items() if key not in {"apiVersion", "kind"}} for item in items]
    return orjson.dumps({"kind": "PodList", "metadata": metadata, "items": bare})


def test_a_dict_keeps_everything_and_a_struct_what_it_names() -> None:
    body = orjson.dumps(POD)
    assert decode_into(body, dict) == POD
    pod = decode_into(body, Pod)
    assert (pod.metadata.name, pod.spec.node_name, pod.spec.containers[0].name) == ("b", "n", "main")


@pytest.mark.parametrize("into", [dict, Pod, PartialObject])
def test_items_of_a_list_say_what_they_are(into: type[Any]) -> None:
    page = decode_list(listed(POD, POD, resourceVersion="9", **{"continue": "more"}), PODS, into)
    assert (page.resource_version, page.continue_token, len(page.items)) == ("9", "more", 2)
    for item in page.items:
        kind = (item["apiVersion"], item["kind"]) if into is dict else (item.api_version, item.kind)
        assert kind == ("v1", "Pod")


@pytest.mark.parametrize("into", [dict, Pod])
@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b'{"metadata":{"resourceVersion":"9"},"items":null}', id="null items"),
        pytest.param(b'{"metadata":{"resourceVersion":"9","continue":""}}', id="no items, an empty token"),
    ],
)
def test_an_empty_list(body: bytes, into: type[Any]) -> None:
    page = decode_list(body, PODS, into)
    assert (page.items, page.resource_version, page.continue_token) == ([], "9", None)


@pytest.mark.parametrize("into", [dict, Pod])
def test_a_list_without_metadata_has_no_version(into: type[Any]) -> None:
    assert decode_list(b'{"items":[]}', NODES, into).resource_version == ""


def event(kind: str, obj: Any) -> bytes:
    return orjson.dumps({"type": kind, "object": obj})


def test_an_event_in_both_forms() -> None:
    line = event("ADDED", POD)
    assert decode_event(line, dict) == ("ADDED", POD)
    kind, pod = decode_event(line, Pod)
    assert isinstance(pod, Pod)
    assert (kind, pod.spec.node_name) == ("ADDED", "n")


def test_a_bookmark_is_no_whole_object() -> None:
    # As the API server sends it for pods: slices that Go leaves nil are null.
    bookmark = {"kind": "Pod", "metadata": {"resourceVersion": "8", "creationTimestamp": None}}
    line = event("BOOKMARK", {**bookmark, "spec": {"containers": None}, "status": {}})
    kind, obj = decode_event(line, Pod)
    assert (kind, type(obj)) == ("BOOKMARK", PartialObject)
    assert isinstance(obj, PartialObject)
    assert obj.metadata.resource_version == "8"


@pytest.mark.parametrize("into", [dict, Pod])
def test_an_error_event_raises_its_type(into: type[Any]) -> None:
    with pytest.raises(Gone, match="too old"):
        decode_event(event("ERROR", {"kind": "Status", "code": 410, "message": "too old"}), into)


@pytest.mark.parametrize("into", [dict, Pod])
@pytest.mark.parametrize(
    "line",
    [
        pytest.param(b"<html>", id="no JSON"),
        pytest.param(b"[1]", id="no object"),
        pytest.param(b'{"type":"ADDED"}', id="no object in it"),
        pytest.param(b'{"object":{"metadata":{}}}', id="no type"),
        pytest.param(b'{"type":"ADDED","object":7}', id="a number for an object"),
        pytest.param(b'{"type":7,"object":{"metadata":{}}}', id="a number for a type"),
        pytest.param(b'{"type":"ADDED","object":{}}', id="no metadata"),
        pytest.param(b'{"type":"ADDED","object":{"metadata":"x"}}', id="metadata that is text"),
        pytest.param(b'{"type":"DELETED","object":{"metadata":{}}}', id="no name"),
        pytest.param(b'{"type":"ADDED","object":{"metadata":{"name":7}}}', id="a name that is a number"),
        pytest.param(b'{"type":"ADDED","object":{"metadata":{"name":"\xff"}}}', id="a name that is no text"),
        pytest.param(
            b'{"type":"ADDED","object":{"metadata":{"name":"a","resourceVersion":7}}}', id="a numeric version"
        ),
        pytest.param(b'{"type":"BOOKMARK","object":{}}', id="a bookmark without metadata"),
        pytest.param(b'{"type":"ERROR","object":null}', id="an error that is null"),
        pytest.param(b'{"type":"ADDED","object":{"x":' + b"[" * 100_000, id="nesting without end"),
    ],
)
def test_a_line_that_is_no_event(line: bytes, into: type[Any]) -> None:
    with pytest.raises(Unavailable):
        decode_event(line, into)


@pytest.mark.parametrize("into", [dict, Pod])
@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b'{"metadata":{},"items":["a"]}', id="items that are text"),
        pytest.param(b'{"metadata":{},"items":{"a":1}}', id="items that are an object"),
        pytest.param(b'{"metadata":{},"items":[{}]}', id="an item without metadata"),
        pytest.param(b'{"metadata":{},"items":[{"metadata":"x"}]}', id="an item whose metadata is text"),
        pytest.param(b'{"metadata":{},"items":[{"metadata":{}}]}', id="an item without a name"),
        pytest.param(b'{"metadata":{},"items":[{"metadata":{"name":"\xff"}}]}', id="a name that is no text"),
        pytest.param(b'{"metadata":"x","items":[]}', id="metadata that is text"),
        pytest.param(b'{"metadata":{"resourceVersion":5},"items":[]}', id="a numeric version"),
        pytest.param(b'{"metadata":{"continue":5},"items":[]}', id="a numeric token"),
        pytest.param(b"[]", id="no object"),
    ],
)
def test_an_answer_that_is_no_list(body: bytes, into: type[Any]) -> None:
    with pytest.raises(Unavailable):
        decode_list(body, PODS, into)


@pytest.mark.parametrize("into", [dict, Pod])
@pytest.mark.parametrize("body", [b"{}", b'{"metadata":"x"}', b'{"metadata":{"name":"\xff"}}'])
def test_an_answer_that_is_no_object(body: bytes, into: type[Any]) -> None:
    with pytest.raises(Unavailable):
        decode_into(body, into)


@pytest.mark.parametrize(
    ("decode_body", "want"),
    [
        pytest.param(lambda: decode(b"<html>"), "no JSON", id="no JSON for a dict"),
        pytest.param(lambda: decode(b"[]"), "no JSON object", id="a list for a dict"),
        pytest.param(lambda: decode_into(b"<html>", Pod), "no Pod", id="no JSON for a struct"),
        pytest.param(lambda: decode_into(b'{"metadata":[]}', Pod), r"no Pod.*metadata", id="a field of another type"),
        pytest.param(
            lambda: decode_list(b'{"items":[{}]}', PODS, Pod), r"no Pod.*items", id="an item without metadata"
        ),
    ],
)
def test_what_does_not_fit_is_told_with_its_beginning(decode_body: Callable[[], object], want: str) -> None:
    with pytest.raises(Unavailable, match=want):
        decode_body()


class Witness(KubeObject, frozen=True, kw_only=True):
    """Notes whether the collector is on while it is decoded."""

    def __post_init__(self) -> None:
        seen_enabled.append(gc.isenabled())


seen_enabled: list[bool] = []


@pytest.mark.parametrize(("threshold", "want"), [(10, False), (1_000_000, True)])
def test_the_collector_rests_while_many_structs_are_decoded(
    threshold: int, want: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decoding, "_BIG_BYTES", threshold)
    seen_enabled.clear()
    decode_list(listed(POD), PODS, Witness)
    assert (seen_enabled, gc.isenabled()) == ([want], True)


@pytest.mark.parametrize(("threshold", "want"), [(10, False), (1_000_000, True)])
def test_the_collector_rests_while_many_dicts_are_decoded(
    threshold: int, want: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs: list[str] = []
    body = listed(*[POD] * 1_000)
    monkeypatch.setattr(decoding, "_BIG_BYTES", threshold)
    gc.callbacks.append(lambda phase, _: runs.append(phase))
    try:
        decode(body)
    finally:
        gc.callbacks.pop()
    often = runs.count("start") > 1  # one may come right after, for what was allocated meanwhile
    assert (often, gc.isenabled()) == (want, True)


def test_the_collector_is_on_again_after_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoding, "_BIG_BYTES", 1)
    with pytest.raises(Unavailable):
        decode(b"<html>")
    assert gc.isenabled()
