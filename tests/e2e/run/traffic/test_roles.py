from typing import Any

import pytest

from e2e.run.expectation import expectation
from e2e.run.install import ROOT
from e2e.run.traffic.judgement import Roles
from e2e.run.traffic.roles import roles


def service(name: str, group: str = "g", *, namespace: str = "team", **guarantees: int) -> dict[str, Any]:
    return {
        "apiVersion": "aim.amd.com/v1beta1",
        "kind": "InferenceService",
        "metadata": {"namespace": namespace, "name": name},
        "spec": {"gpuSharing": {"shareGroup": group}, "qos": {"guarantees": guarantees}},
    }


PROMISED, LIMITED = service("a", minConcurrency=3), service("b", maxConcurrency=2)


@pytest.mark.parametrize(
    ("objects", "want"),
    [
        pytest.param([LIMITED, PROMISED], Roles("team/a", "team/b", 3, 2), id="one promised, one limited"),
        pytest.param([PROMISED], None, id="one alone"),
        pytest.param(
            [service("a", minConcurrency=3, maxConcurrency=9)], None, id="a service is no neighbour of itself"
        ),
        pytest.param([PROMISED, service("b", "h", maxConcurrency=2)], None, id="in two groups"),
        pytest.param([PROMISED, service("b", namespace="other", maxConcurrency=2)], None, id="in two namespaces"),
        pytest.param([PROMISED, service("b")], None, id="nothing is limited"),
        pytest.param([{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "x"}}], None, id="no service"),
    ],
)
def test_who_plays_the_scene(objects: list[dict[str, Any]], want: Roles | None) -> None:
    assert roles(objects) == want


def test_two_of_the_examples_do() -> None:
    assert roles(expectation(ROOT / "examples").objects) == Roles("team-assist/assistant", "team-assist/drafts", 4, 4)
