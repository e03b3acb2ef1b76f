"""AdmissionReviews decoded and encoded, and garbage named."""

import base64
from contextlib import suppress
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from controller.runtime.webhook.admission import (
    allow,
    decode_review,
    deny,
    encode_review,
)
from controller.runtime.webhook.review import MalformedReview


def review(**request: Any) -> bytes:
    asked = {
        "uid": "u-1",
        "operation": "CREATE",
        "namespace": "ns",
        "resource": {"group": "apps", "version": "v1", "resource": "deployments"},
        "object": {"metadata": {"generateName": "web-"}},
        "oldObject": None,
        "userInfo": {"username": "eve", "groups": ["g"], "extra": {"node-name": ["n1"]}},
        **request,
    }
    return orjson.dumps({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": asked})


def test_a_create() -> None:
    found = decode_review(review(dryRun=True, subResource="scale"))
    assert (found.uid, found.operation, found.namespace, found.name) == ("u-1", "CREATE", "ns", "")
    assert (found.object, found.old_object) == ({"metadata": {"generateName": "web-"}}, None)
    assert (found.user, found.groups, found.extra) == ("eve", ("g",), {"node-name": ("n1",)})
    assert (found.dry_run, found.resource, found.subresource) == (True, "deployments.apps", "scale")


def test_the_version_that_the_user_sent() -> None:
    sent = decode_review(
        review(requestKind={"group": "aim.amd.com", "version": "v1alpha1", "kind": "InferenceService"})
    )
    assert (sent.requested_version, decode_review(review()).requested_version) == ("v1alpha1", "")


@pytest.mark.parametrize(
    ("body", "want"),
    [
        pytest.param(b"", "not JSON", id="nothing"),
        pytest.param(b"<html>", "not JSON", id="HTML"),
        pytest.param(b"[]", "a list", id="a list"),
        pytest.param(b"{}", "None/None", id="no type"),
        pytest.param(
            b'{"apiVersion":"admission.k8s.io/v1beta1","kind":"AdmissionReview"}', "v1beta1", id="old version"
        ),
        pytest.param(b'{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview"}', "request None", id="no request"),
        pytest.param(review(uid=""), "request.uid ''", id="no uid"),
        pytest.param(review(uid=7), "request.uid 7", id="a uid that is a number"),
        pytest.param(review(operation="PATCH"), "request.operation 'PATCH'", id="unknown operation"),
        pytest.param(review(operation=["CREATE"]), "request.operation", id="an operation that is a list"),
        pytest.param(review(object="pod"), "object 'pod'", id="an object that is text"),
        pytest.param(review(userInfo=None), "userInfo None", id="nobody"),
        pytest.param(review(userInfo={"groups": "g"}), "groups 'g'", id="groups that are text"),
        pytest.param(review(requestKind="Pod"), "requestKind 'Pod'", id="a kind that is text"),
        pytest.param(review(namespace=3), "namespace 3", id="a namespace that is a number"),
    ],
)
def test_garbage_is_named(body: bytes, want: str) -> None:
    with pytest.raises(MalformedReview, match=want):
        decode_review(body)


json = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)


@settings(suppress_health_check=[HealthCheck.too_slow])  # of a machine that is busy
@given(st.dictionaries(st.sampled_from(["uid", "operation", "resource", "userInfo", "object", "name"]), json))
def test_any_json_is_decoded_or_malformed(request: dict[str, Any]) -> None:
    with suppress(MalformedReview):
        decode_review(review(**request))


def answer(body: bytes) -> dict[str, Any]:
    decoded = orjson.loads(body)
    assert (decoded["apiVersion"], decoded["kind"]) == ("admission.k8s.io/v1", "AdmissionReview")
    found: dict[str, Any] = decoded["response"]
    return found


def test_allow_is_short() -> None:
    assert answer(encode_review("u", allow())) == {"uid": "u", "allowed": True}


def test_allow_with_patch_and_warnings() -> None:
    operations = [{"op": "add", "path": "/a", "value": 1}]
    found = answer(encode_review("u", allow(operations, ["w" * 300])))
    assert orjson.loads(base64.b64decode(found["patch"])) == operations
    assert found["patchType"] == "JSONPatch"
    assert found["warnings"] == ["w" * 256]


def test_deny_explains() -> None:
    found = answer(encode_review("u", deny("no such model", 422, "Invalid")))
    assert found["status"] == {"code": 422, "message": "no such model", "reason": "Invalid"}
    assert found["allowed"] is False
