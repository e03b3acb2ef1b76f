from typing import Any

import pytest

from api.v1beta1 import GPUPartitionClaim
from controller.gpu.identity import PartitionId
from controller.placement.demand import Resources
from controller.state.assumptions import Assumption, Assumptions
from tests.builders.claim import bound_claim, claim
from tests.builders.gpu import bdf
from tests.builders.plugin import CPX, plugin_claim


def assumption(claim: str = "team-a/aim-a", node: str = "worker-0", index: int = 0, resource: str = "") -> Assumption:
    return Assumption(claim, f"uid-{claim}", node, (PartitionId(bdf(0), index),), Resources(pods=1), resource)


def test_they_are_kept_by_claim_until_forgotten() -> None:
    kept = Assumptions()
    kept.add(assumption())
    assert (len(kept), list(kept), kept.get("team-a/aim-a")) == (1, [assumption()], assumption())
    kept.forget("team-a/aim-a")
    kept.forget("team-a/aim-a")
    assert (len(kept), kept.get("team-a/aim-a")) == (0, None)


def test_two_claims_on_one_partition_stop_loudly_and_name_both() -> None:
    kept = Assumptions()
    kept.add(assumption("team-a/aim-a"))
    with pytest.raises(RuntimeError, match="assumed for team-a/aim-a; cannot assume it for team-a/aim-b"):
        kept.add(assumption("team-a/aim-b"))
    assert list(kept) == [assumption("team-a/aim-a")]


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(assumption("team-a/aim-b", index=1), id="another partition"),
        pytest.param(assumption("team-a/aim-b", node="worker-1"), id="the same one of another node"),
        pytest.param(assumption("team-a/aim-b", resource=CPX), id="the same one that stands for any of its name"),
    ],
)
def test_others_are_independent(other: Assumption) -> None:
    kept = Assumptions()
    kept.add(assumption())
    kept.add(other)
    assert len(kept) == 2


def test_a_claim_has_one_assumption() -> None:
    kept = Assumptions()
    kept.add(assumption(index=0))
    kept.add(assumption(index=1))
    assert list(kept) == [assumption(index=1)]


@pytest.mark.parametrize(
    ("made", "assumed", "want"),
    [
        pytest.param(plugin_claim(), assumption(resource=CPX), True, id="bound to that resource"),
        pytest.param(plugin_claim(), assumption(resource="amd.com/gpu"), False, id="to another"),
        pytest.param(plugin_claim(node="worker-1"), assumption(resource=CPX), False, id="elsewhere"),
        pytest.param(bound_claim(), assumption(), True, id="to the partition"),
        pytest.param(bound_claim(index=1), assumption(), False, id="to another partition"),
        pytest.param(claim(), assumption(), False, id="to nothing"),
    ],
)
def test_what_a_stored_claim_shows(made: dict[str, Any], assumed: Assumption, want: bool) -> None:
    assert assumed.shown_by(GPUPartitionClaim.model_validate(made)) is want
