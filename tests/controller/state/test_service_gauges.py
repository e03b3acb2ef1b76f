"""InferenceServices as rows of gauges, kept up as the watch shows them."""

from typing import Any

import pytest

from api.object import dump
from controller.state.service_gauges import ServiceGauges
from controller.telemetry.bounds import MOST_SERVICES
from tests.builders.cluster import FedCluster
from tests.builders.inference_service import inference_service

MODEL = "Qwen/Qwen3-4B"
OTHER = ("other", "other", "other")


class Scene:
    def __init__(self, most: int = MOST_SERVICES) -> None:
        self.fed = FedCluster()
        self.gauges = ServiceGauges(self.fed.cluster.service_table, most)
        self.fed.cluster.services.add_handler(self.gauges.take)

    def put(self, name: str, conditions: dict[str, str], *, ready: int = 0, slo: Any = (), **spec: Any) -> None:
        told = [
            {"type": type_, "status": status, "reason": "Why", "lastTransitionTime": "2026-01-01T00:00:00Z"}
            for type_, status in conditions.items()
        ]
        status = {"conditions": told, "readyReplicas": ready, "slo": list(slo)}
        self.fed.put(self.fed.cluster.services, dump(inference_service(name, status=status, **spec)))


def objective(left: str, burn: str, needed: str = "98") -> dict[str, Any]:
    windows = [{"window": "1h", "requests": 10, "attainment": "90", "burn": burn}]
    target = {"metric": "requestLatency", "percentile": "p99", "threshold": "1s", "needed": needed}
    return target | {"budgetLeft": left, "windows": windows}


def test_conditions_are_told_while_they_are_known() -> None:
    scene = Scene()
    scene.put("chat", {"Ready": "True", "SLOMet": "False", "Routable": "Unknown"})
    chat = ("team-a", "chat", MODEL)
    assert scene.gauges.conditions() == [((*chat, "Ready"), 1.0), ((*chat, "SLOMet"), 0.0)]
    scene.put("chat", {"Ready": "False"})
    assert scene.gauges.conditions() == [((*chat, "Ready"), 0.0)]
    scene.fed.drop(scene.fed.cluster.services, dump(inference_service("chat")))
    assert scene.gauges.conditions() == scene.gauges.replicas() == []


def test_replicas_are_told_as_wanted_and_as_ready() -> None:
    scene = Scene()
    scene.put("chat", {}, ready=1, replicas=3)
    assert scene.gauges.replicas() == [
        (("team-a", "chat", MODEL, "wanted"), 3.0),
        (("team-a", "chat", MODEL, "ready"), 1.0),
    ]


def test_objectives_are_told_of_every_service() -> None:
    scene = Scene()
    scene.put("b", {}, slo=[objective("50", "2")])
    scene.put("a", {}, slo=[objective("-10", "15")])
    whose = [("team-a", name, MODEL, "requestLatency", "p99", "1s") for name in "ab"]
    assert scene.gauges.budgets() == [(whose[0], -0.1), (whose[1], 0.5)]
    assert scene.gauges.burns() == [((*whose[0], "1h"), 15.0), ((*whose[1], "1h"), 2.0)]
    assert scene.gauges.limits() == [((*each, "1h"), 14.4) for each in whose]


def test_services_beyond_the_bound_are_told_together_the_worst_of_their_objectives() -> None:
    scene = Scene(most=1)
    scene.put("a", {"Ready": "False"}, slo=[objective("90", "1")])
    scene.put("b", {"Ready": "True"}, replicas=2, ready=2, slo=[objective("-10", "2", needed="49.5")])
    scene.put("c", {"Ready": "True", "SLOMet": "False"}, replicas=3, ready=1, slo=[objective("50", "15")])
    assert scene.gauges.conditions()[1:] == [((*OTHER, "Ready"), 1.0), ((*OTHER, "SLOMet"), 0.0)]
    assert scene.gauges.replicas()[2:] == [((*OTHER, "wanted"), 5.0), ((*OTHER, "ready"), 3.0)]
    assert scene.gauges.budgets()[1:] == [((*OTHER, "requestLatency", "p99", "1s"), -0.1)]
    assert scene.gauges.slow()[1:] == [((*OTHER, "requestLatency", "p99", "1s", "1h"), 2.0)]
    assert scene.gauges.burns()[1:] == [((*OTHER, "requestLatency", "p99", "1s", "1h"), 15.0)]
    assert scene.gauges.limits()[1:] == [((*OTHER, "requestLatency", "p99", "1s", "1h"), 1.49)]


@pytest.mark.parametrize("ready", [("True", "False", "True"), ("False", "True", "True"), ("True", "True", "False")])
def test_one_of_those_beyond_the_bound_that_is_not_ready_shows_among_them(ready: tuple[str, str, str]) -> None:
    scene = Scene(most=1)
    for name, status in zip("abcd", ("True", *ready), strict=True):
        scene.put(name, {"Ready": status})
    assert scene.gauges.conditions()[1:] == [((*OTHER, "Ready"), 0.0)]
