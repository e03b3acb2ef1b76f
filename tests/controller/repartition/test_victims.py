import pytest

from controller.placement.demand import Requirement
from controller.repartition.victims import in_order
from controller.sizing.precision import Precision
from tests.builders.demand import constrained
from tests.builders.gpu import GIB
from tests.builders.victim import victim


@pytest.mark.parametrize(
    ("first", "second"),
    [
        pytest.param({"priority": 1, "ready": True}, {"priority": 2, "ready": False}, id="lower priority"),
        pytest.param({"ready": False, "created_seconds": 1.0}, {"created_seconds": 9.0}, id="one that does not serve"),
        pytest.param({"created_seconds": 9.0}, {"created_seconds": 1.0}, id="the youngest"),
        pytest.param({"namespace": "team-a"}, {"namespace": "team-b"}, id="by namespace"),
        pytest.param({"pod": "a"}, {"pod": "b"}, id="by name"),
        pytest.param({"uid": "1"}, {"uid": "2"}, id="by uid"),
    ],
)
def test_who_moves_first(first: dict[str, object], second: dict[str, object]) -> None:
    early, late = victim(**first), victim(**second)  # type: ignore[arg-type]
    assert in_order([late, early]) == in_order([early, late]) == [early, late]


def test_a_victims_successor_asks_for_the_same_again_and_is_nobodys_successor_yet() -> None:
    asked = victim(
        "b-0",
        gib=24,
        priority=7,
        policy="shared",
        precision=Precision.FP8,
        constraints=constrained(node_selector=(("kubernetes.io/hostname", "here"), ("zone", "n"))),
    )
    demand = asked.demand
    assert (demand.key, demand.namespace, demand.priority, demand.policy) == ("team-b/aim-b-0", "team-b", 7, "shared")
    assert demand.requirement == Requirement(24 * GIB, precision=Precision.FP8)
    assert demand.pod == constrained(node_selector=(("zone", "n"),))
    assert (demand.owner, demand.template_hash) == ("", "")
