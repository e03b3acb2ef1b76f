"""Of an audit log, what our accounts were let to do is told, and nothing else."""

from typing import Any

import pytest

from tests.rights.requests import Request, requests

USER = "system:serviceaccount:system:ours"


def entry(code: int | None = 200, user: str = USER, **more: Any) -> dict[str, Any]:
    made: dict[str, Any] = {
        "verb": "patch",
        "user": {"username": user},
        "objectRef": {"resource": "pods", "namespace": "near", "name": "x", "apiVersion": "v1"},
    }
    return made | ({"responseStatus": {"code": code}} if code else {}) | more


PATCH = Request("ours", "patch", "", "pods", "near", "x")


@pytest.mark.parametrize(
    ("given", "want"),
    [
        pytest.param(entry(), [PATCH], id="done"),
        pytest.param(entry(409), [PATCH], id="allowed, and in vain"),
        pytest.param(
            entry(201), [PATCH, Request("ours", "create", "", "pods", "near", "x")], id="a patch that creates"
        ),
        pytest.param(entry(403), [], id="refused"),
        pytest.param(entry(None), [], id="not answered yet"),
        pytest.param(entry(user="system:serviceaccount:else:ours"), [], id="of another namespace"),
        pytest.param(entry(impersonatedUser={"username": "u"}), [], id="as somebody else"),
        pytest.param(entry(objectRef={}), [], id="of no resource"),
    ],
)
def test_a_request_is_what_was_allowed_to_one_of_ours(given: dict[str, Any], want: list[Request]) -> None:
    assert list(requests(given, "system")) == want


def test_a_subresource_and_a_group_are_told() -> None:
    reference = {"resource": "deployments", "apiGroup": "apps", "subresource": "scale", "name": "x"}

    (found,) = requests(entry(objectRef=reference), "system")

    assert (found.resource, found.group, found.namespace) == ("deployments/scale", "apps", "")
