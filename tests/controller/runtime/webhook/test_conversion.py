"""ConversionReviews decoded, converted in chunks, checked, and garbage named."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from controller.runtime.manifest import Manifest
from controller.runtime.webhook.conversion import (
    ConversionFailed,
    ConversionHandler,
    convert,
    decode_conversion,
    encode_converted,
    encode_failure,
)
from controller.runtime.webhook.review import MalformedReview

V1, V2 = "shop.example/v1", "shop.example/v2"


def gadget(name: str = "a", version: str = V1, **more: Any) -> Manifest:
    metadata = {"name": name, "namespace": "ns", "uid": f"u-{name}", "resourceVersion": "7", "finalizers": ["f"]}
    return {"apiVersion": version, "kind": "Gadget", "metadata": metadata, "spec": {"size": 1}, **more}


def review(held: list[Any], **request: Any) -> bytes:
    asked = {"uid": "u-1", "desiredAPIVersion": V2, "objects": held, **request}
    return orjson.dumps({"apiVersion": "apiextensions.k8s.io/v1", "kind": "ConversionReview", "request": asked})


def to_version(desired: str, objects: list[Manifest]) -> list[Manifest]:
    for obj in objects:
        obj["apiVersion"] = desired
        obj["spec"] = {"sizes": [obj["spec"]["size"]]}
    return objects


def answered(objects: list[Any], handler: ConversionHandler) -> dict[str, Any]:
    request = decode_conversion(review(objects))
    converted = [done for chunk in request.chunks() for done in convert(handler, request.desired_api_version, chunk)]
    found: dict[str, Any] = orjson.loads(b"".join(encode_converted(request.uid, converted)))
    return found


def test_a_review_is_answered_with_the_objects_in_the_other_version() -> None:
    assert answered([gadget("a"), gadget("b")], to_version) == {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "ConversionReview",
        "response": {
            "uid": "u-1",
            "result": {"status": "Success"},
            "convertedObjects": [
                {**gadget("a", V2), "spec": {"sizes": [1]}},
                {**gadget("b", V2), "spec": {"sizes": [1]}},
            ],
        },
    }


def test_nothing_to_convert_is_a_success() -> None:
    assert answered([], to_version)["response"]["convertedObjects"] == []


@settings(suppress_health_check=[HealthCheck.too_slow])  # of a machine that is busy
@given(st.lists(st.tuples(st.sampled_from([V1, V2]), st.integers(0, 60_000)), max_size=100))
def test_order_and_count_are_kept_whatever_the_chunks(objects: list[tuple[str, int]]) -> None:
    given_ = [gadget(str(n), version, data="x" * size) for n, (version, size) in enumerate(objects)]
    found = answered(given_, to_version)["response"]["convertedObjects"]
    assert [obj["metadata"]["name"] for obj in found] == [str(n) for n in range(len(objects))]
    assert all(obj["apiVersion"] == V2 for obj in found)


def test_chunks_are_small_and_a_single_large_object_is_one() -> None:
    objects = [gadget(str(n)) for n in range(70)] + [gadget("big", data="x" * 1_000_000)]
    chunks = list(decode_conversion(review(objects)).chunks())
    assert [len(chunk) for chunk in chunks] == [32, 32, 6, 1]


def test_what_is_in_the_version_already_is_left_alone() -> None:
    def refuses(desired: str, objects: list[Manifest]) -> list[Manifest]:
        assert [obj["metadata"]["name"] for obj in objects] == ["old"]
        return to_version(desired, objects)

    found = answered([gadget("new", V2), gadget("old")], refuses)["response"]["convertedObjects"]
    assert [obj["spec"] for obj in found] == [{"size": 1}, {"sizes": [1]}]


def changed(change: Callable[[Manifest], object]) -> ConversionHandler:
    def handler(desired: str, objects: list[Manifest]) -> list[Manifest]:
        converted = to_version(desired, objects)
        for obj in converted:
            if obj["metadata"]["name"] == "bad":
                change(obj)
        return converted

    return handler


def setting(path: str, value: Any) -> Callable[[Manifest], object]:
    *parents, last = path.split(".")

    def change(obj: Manifest) -> None:
        holder = obj
        for parent in parents:
            holder = holder[parent]
        holder[last] = value

    return change


def raising(error: Exception) -> Callable[[Manifest], object]:
    def change(_: Manifest) -> None:
        raise error

    return change


@pytest.mark.parametrize(
    ("change", "want"),
    [
        pytest.param(setting("metadata.name", "b"), "changed metadata.name;", id="the name"),
        pytest.param(setting("metadata.uid", "x"), "changed metadata.uid;", id="the uid"),
        pytest.param(setting("metadata.resourceVersion", "8"), "changed metadata.resourceVersion;", id="the version"),
        pytest.param(setting("metadata.generation", 2), "changed metadata.generation;", id="a field that is new"),
        pytest.param(lambda obj: obj["metadata"].pop("namespace"), "changed metadata.namespace;", id="a field that is gone"),
        pytest.param(lambda obj: obj["metadata"]["finalizers"].append("g"), "metadata.finalizers;", id="a list in place"),
        pytest.param(setting("metadata", None), "metadata that is no object", id="all of the metadata"),
        pytest.param(setting("kind", "Gizmo"), "changed kind from 'Gadget' to 'Gizmo'", id="the kind"),
        pytest.param(setting("apiVersion", V1), "gave apiVersion 'shop.example/v1'", id="no version at all"),
        pytest.param(setting("spec", {1, 2}), "failed with TypeError", id="what is no JSON"),
        pytest.param(raising(ConversionFailed("size 9: too large")), ": size 9: too large", id="a refusal"),
        pytest.param(raising(KeyError("secret")), ": the handler failed with KeyError", id="a bug"),
    ],
)  # fmt: skip
def test_a_conversion_that_breaks_the_rules_fails_and_names_the_object(
    change: Callable[[Manifest], object], want: str
) -> None:
    with pytest.raises(ConversionFailed) as caught:
        answered([gadget("good"), gadget("bad"), gadget("other")], changed(change))
    assert str(caught.value).startswith("Gadget ns/bad to shop.example/v2: ")
    assert want in str(caught.value)
    assert "secret" not in str(caught.value)


def test_the_bug_behind_a_failure_is_kept_for_the_log() -> None:
    with pytest.raises(ConversionFailed) as caught:
        answered([gadget("good"), gadget("bad")], changed(raising(KeyError("size"))))
    assert isinstance(caught.value.__cause__, KeyError)


@pytest.mark.parametrize(
    ("given_back", "want"),
    [
        pytest.param([], "gave 0 objects for 1", id="none"),
        pytest.param([gadget(), gadget()], "gave 2 objects for 1", id="one too many"),
        pytest.param(["gadget"], "gave a str for Gadget ns/a", id="text"),
    ],
)
def test_another_number_of_objects_fails(given_back: list[Any], want: str) -> None:
    with pytest.raises(ConversionFailed, match=want):
        answered([gadget()], lambda desired, objects: given_back)


def test_labels_and_annotations_may_change() -> None:
    def stash(desired: str, objects: list[Manifest]) -> list[Manifest]:
        converted = to_version(desired, objects)
        converted[0]["metadata"] |= {"labels": {"l": "1"}, "annotations": {"a": "1"}}
        return converted

    assert answered([gadget()], stash)["response"]["convertedObjects"][0]["metadata"]["labels"] == {"l": "1"}


def test_a_failure_carries_the_message_and_no_objects() -> None:
    response = orjson.loads(b"".join(encode_failure("u", "Gadget a: no")))["response"]
    assert response == {"uid": "u", "convertedObjects": [], "result": {"status": "Failure", "message": "Gadget a: no"}}


@pytest.mark.parametrize(
    ("body", "want"),
    [
        pytest.param(b"", "not JSON", id="nothing"),
        pytest.param(b"<html>", "not JSON", id="HTML"),
        pytest.param(b"\xff\xfe", "not JSON", id="no UTF-8"),
        pytest.param(b"[]", "Expected `object`", id="a list"),
        pytest.param(b"{}", "None/None", id="no type"),
        pytest.param(b'{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview"}', "AdmissionReview", id="another review"),
        pytest.param(b'{"apiVersion":"apiextensions.k8s.io/v1","kind":"ConversionReview"}', "request None", id="no request"),
        pytest.param(review([], uid=""), "one is empty", id="no uid"),
        pytest.param(review([], uid=7), r"\$.request.uid", id="a uid that is a number"),
        pytest.param(review([], desiredAPIVersion=""), "one is empty", id="no version"),
        pytest.param(review([], objects={}), r"\$.request.objects", id="objects that are none"),
        pytest.param(review(["gadget"]), "holds a str", id="an object that is text"),
        pytest.param(review([{"kind": "Gadget"}]), "apiVersion None", id="an object without version"),
        pytest.param(review([gadget(metadata="m")]), "metadata 'm'", id="metadata that is text"),
        pytest.param(review([gadget()]).replace(b'"size":1', b'"size":"\xff"'), "not JSON", id="an object with no UTF-8"),
    ],
)  # fmt: skip
def test_garbage_is_named(body: bytes, want: str) -> None:
    with pytest.raises(MalformedReview, match=want):
        convert(to_version, V2, decode_conversion(body).objects)


json = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["metadata", "kind", "a"]), inner),
    max_leaves=5,
)


@settings(suppress_health_check=[HealthCheck.too_slow])  # of a machine that is busy
@given(st.dictionaries(st.sampled_from(["uid", "desiredAPIVersion", "objects"]), json))
def test_any_json_is_converted_refused_or_malformed(request: dict[str, Any]) -> None:
    with suppress(MalformedReview, ConversionFailed):
        convert(to_version, V2, decode_conversion(review([gadget()], **request)).objects)
