"""AdmissionReview v1, decoded and encoded. Pure; garbage raises `MalformedReview` with what is wrong."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from controller.runtime.manifest import Manifest
from controller.runtime.webhook.review import MalformedReview

API_VERSION = "admission.k8s.io/v1"
# The API server cuts warnings off itself, with a log line for each: 256 characters one, 4096 all of them.
_WARNING_CHARACTERS = 256
_OPERATIONS = frozenset({"CREATE", "UPDATE", "DELETE", "CONNECT"})


@dataclass(frozen=True, slots=True)
class AdmissionRequest:
    """What the API server asks. `object` is None on DELETE, `old_object` on CREATE; both must not be changed.

    `namespace` is "" for cluster scope, `name` "" when the server will generate it; `resource` is "plural.group" as
    asked for; `subresource` "" for the object itself; `extra` the user's extra fields. `requested_version`: the one in
    which the user sent the object, which the API server may have converted for us; "" when it is not told.
    """

    uid: str
    operation: str
    namespace: str
    name: str
    object: Manifest | None
    old_object: Manifest | None
    user: str
    groups: tuple[str, ...]
    dry_run: bool
    resource: str = ""
    subresource: str = ""
    requested_version: str = ""
    extra: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AdmissionResponse:
    """The answer: `patch` is a JSON patch (empty: none), `message`, `code` and `reason` explain a refusal."""

    allowed: bool
    patch: tuple[Mapping[str, Any], ...] = ()
    warnings: tuple[str, ...] = ()
    message: str = ""
    code: int = 200
    reason: str = ""


def allow(patch: Sequence[Mapping[str, Any]] | None = None, warnings: Sequence[str] = ()) -> AdmissionResponse:
    """Let it pass, with the JSON patch operations in `patch` and `warnings` shown to the user."""
    return AdmissionResponse(True, tuple(patch or ()), tuple(warnings))


def deny(message: str, code: int = 403, reason: str = "Forbidden") -> AdmissionResponse:
    """Refuse; the user sees `message`. `code`: the HTTP status of the refused request, 4xx."""
    return AdmissionResponse(False, message=message, code=code, reason=reason)


def decode_review(body: bytes) -> AdmissionRequest:
    """The question in `body`. Raises MalformedReview."""
    review = _json_object(body)
    if review.get("kind") != "AdmissionReview" or review.get("apiVersion") != API_VERSION:
        given = f"{review.get('apiVersion')}/{review.get('kind')}"
        raise MalformedReview(f"apiVersion/kind {given!r}: expected {API_VERSION}/AdmissionReview")
    request = _mapping(review, "request")
    uid, operation = request.get("uid"), request.get("operation")
    if not isinstance(uid, str) or not uid:
        raise MalformedReview(f"request.uid {uid!r}: expected a non-empty string")
    if not isinstance(operation, str) or operation not in _OPERATIONS:
        raise MalformedReview(f"request.operation {operation!r}: expected CREATE, UPDATE, DELETE or CONNECT")
    user = _mapping(request, "userInfo")
    resource = _mapping(request, "resource", {})
    return AdmissionRequest(
        uid=uid,
        operation=operation,
        namespace=_text(request, "namespace"),
        name=_text(request, "name"),
        object=_mapping(request, "object", None),
        old_object=_mapping(request, "oldObject", None),
        user=_text(user, "username"),
        groups=_texts(user.get("groups"), "request.userInfo.groups"),
        dry_run=request.get("dryRun") is True,
        resource=".".join(part for part in (_text(resource, "resource"), _text(resource, "group")) if part),
        subresource=_text(request, "subResource"),
        requested_version=_text(_mapping(request, "requestKind", {}), "version"),
        extra={
            name: _texts(values, f"request.userInfo.extra[{name!r}]")
            for name, values in _mapping(user, "extra", {}).items()
        },
    )


def encode_review(uid: str, response: AdmissionResponse) -> bytes:
    """The AdmissionReview that answers the question `uid`."""
    answer: dict[str, Any] = {"uid": uid, "allowed": response.allowed}
    if response.patch:
        answer["patchType"] = "JSONPatch"
        answer["patch"] = base64.b64encode(orjson.dumps(list(response.patch))).decode("ascii")
    if response.warnings:
        answer["warnings"] = [warning[:_WARNING_CHARACTERS] for warning in response.warnings]
    if not response.allowed:
        answer["status"] = {"code": response.code, "message": response.message, "reason": response.reason}
    return orjson.dumps({"apiVersion": API_VERSION, "kind": "AdmissionReview", "response": answer})


def _json_object(body: bytes) -> Manifest:
    try:
        decoded: Any = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise MalformedReview(f"body: not JSON ({error}); send an AdmissionReview") from error
    if not isinstance(decoded, dict):
        raise MalformedReview(f"body: a {type(decoded).__name__}; send an AdmissionReview object")
    return decoded


_REQUIRED = object()


def _mapping(holder: Manifest, name: str, default: Any = _REQUIRED) -> Any:
    value = holder.get(name)
    if value is None and default is not _REQUIRED:
        return default
    if not isinstance(value, dict):
        raise MalformedReview(f"{name} {value!r:.100}: expected an object")
    return value


def _text(holder: Manifest, name: str) -> str:
    value = holder.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise MalformedReview(f"{name} {value!r:.100}: expected a string")
    return value


def _texts(values: Any, name: str) -> tuple[str, ...]:
    if values is None:
        return ()
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise MalformedReview(f"{name} {values!r:.100}: expected a list of strings")
    return tuple(values)
