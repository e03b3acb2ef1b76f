from typing import Any

import pytest

from e2e.run.expectation import expectation
from e2e.run.install import ROOT
from e2e.run.traffic.judgement import Roles
from e2e.run.traffic.roles import roles


def service(
    name: str, group: str = "g", *, namespace: str = "team", qos_class: str | None = None, **guarantees: int
) -> dict[str, Any]:
    named = {"class": qos_class} if qos_class is not None else {}
    return {
        "apiVersion": "aim.amd.com/v1beta1",
        "kind": "InferenceService",
        "metadata": {"namespace": namespace, "name": name},
        "spec": {"gpuSharing": {"shareGroup": group}, "qos": {"guarantees": guarantees, **named}},
    }


def policy(**spec: Any) -> dict[str, Any]:
    return {"apiVersion": "aim.amd.com/v1beta1", "kind": "GPUSharingPolicy", "metadata": {"name": "p"}, "spec": spec}


def limited(name: str = "b", group: str = "g", namespace: str = "team", qos_class: str = "realtime") -> dict[str, Any]:
    return service(name, group, namespace=namespace, qos_class=qos_class, maxConcurrency=4)


PROMISED, LIMITED, POLICY = service("a", minConcurrency=3), limited(), policy(sharedConcurrency=5)
URGENT = [{"name": "urgent", "rank": 0}]
FOUND = Roles("team/a", "team/b", 3, 4, 5)


@pytest.mark.parametrize(
    ("objects", "want"),
    [
        pytest.param([LIMITED, POLICY, PROMISED], FOUND, id="one promised, one limited and of a better class"),
        pytest.param([LIMITED, POLICY, policy(sharedConcurrency=6), PROMISED], FOUND, id="of two bounds the lower"),
        pytest.param(
            [limited(qos_class="urgent"), PROMISED, policy(sharedConcurrency=5, qosClasses=URGENT)],
            FOUND,
            id="a class of the policy",
        ),
        pytest.param([LIMITED, PROMISED], None, id="no policy bounds them"),
        pytest.param([LIMITED, PROMISED, policy()], None, id="the policy bounds nothing"),
        pytest.param([LIMITED, PROMISED, policy(sharedConcurrency=7)], None, id="there is room for both"),
        pytest.param([LIMITED, PROMISED, policy(sharedConcurrency=3)], None, id="all is promised"),
        pytest.param([limited(qos_class="standard"), PROMISED, POLICY], None, id="of one class"),
        pytest.param([limited(qos_class="unknown"), PROMISED, POLICY], None, id="of a class that is not there"),
        pytest.param([PROMISED, POLICY], None, id="one alone"),
        pytest.param(
            [service("a", minConcurrency=3, maxConcurrency=9), POLICY], None, id="a service is no neighbour of itself"
        ),
        pytest.param([PROMISED, limited(group="h"), POLICY], None, id="in two groups"),
        pytest.param([PROMISED, limited(namespace="other"), POLICY], None, id="in two namespaces"),
        pytest.param([PROMISED, service("b", qos_class="realtime"), POLICY], None, id="nothing is limited"),
        pytest.param([{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "x"}}], None, id="no service"),
    ],
)
def test_who_plays_the_scene(objects: list[dict[str, Any]], want: Roles | None) -> None:
    assert roles(objects) == want


def test_two_of_the_examples_do() -> None:
    assert roles(expectation(ROOT / "examples").objects) == Roles(
        "team-assist/assistant", "team-assist/drafts", minimum=3, maximum=6, seats=8
    )
