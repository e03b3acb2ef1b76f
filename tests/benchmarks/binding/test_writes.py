import json
from typing import Any

from e2e.run.processes import OPERATOR
from tests.benchmarks.binding.writes import counted, ours, written


def line(user: str, verb: str, resource: str, code: int = 200, subresource: str = "") -> str:
    reference: dict[str, Any] = {"resource": resource} | ({"subresource": subresource} if subresource else {})
    return json.dumps(
        {
            "user": {"username": user},
            "verb": verb,
            "requestURI": "/x",
            "objectRef": reference,
            "responseStatus": {"code": code},
        }
    )


def test_writes_are_counted_by_who_sent_them_and_what_they_were() -> None:
    lines = [
        line(OPERATOR, "patch", "pods"),
        line(OPERATOR, "patch", "pods", code=409),
        line("system:kube-scheduler", "create", "pods", code=201, subresource="binding"),
    ]
    found = counted(written([*lines, "\n"]))
    assert found == {
        ("operator", "patch pods"): 1,
        ("operator", "patch pods (refused)"): 1,
        ("kube-scheduler", "create pods/binding"): 1,
    }
    assert ours(found) == 2
