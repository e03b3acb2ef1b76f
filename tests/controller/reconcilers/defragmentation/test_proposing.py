import pytest

from api.v1beta1 import GPUSharingPolicy, RepartitionPlan
from controller.reconcilers.defragmentation.proposing import is_own, plan_of, summary
from controller.repartition.defragmentation import chances
from controller.repartition.regained import Gain
from tests.builders.demand import demand
from tests.builders.fragments import host, scene, used
from tests.builders.gpu import bdf
from tests.builders.plan import plan
from tests.builders.policy import policy_object

CPX = "CPX/NPS1"
POLICY = GPUSharingPolicy.model_validate(policy_object("shared"))
GPUS = host(used(0, CPX, "a", "b"), used(1, CPX, "c"))


@pytest.mark.parametrize(
    ("gain", "want"),
    [
        pytest.param(Gain(1, 1 << 30, 0), "1 GPU", id="a GPU"),
        pytest.param(Gain(2, 1 << 31, 1), "2 GPUs, 1 claim", id="GPUs and a claim"),
        pytest.param(Gain(-1, 0, 2), "2 claims", id="claims that take more than was regained"),
    ],
)
def test_a_gain_is_told_in_words(gain: Gain, want: str) -> None:
    assert summary(gain) == want


def test_the_plan_tells_what_it_gains_and_waits_for_a_person() -> None:
    best, *_ = chances(scene(GPUS, waiting=[demand("aim-whole", 150)]))
    spec = plan_of(best, POLICY, ()).spec
    assert [(gpu.bdf, gpu.mode) for gpu in spec.to.gpus] == [(bdf(1), "SPX/NPS1")]
    assert [(gpu.bdf, gpu.mode) for gpu in spec.from_.gpus] == [(bdf(1), CPX)]
    assert (spec.approval.value, spec.approved, spec.claim_ref, spec.policy_ref) == ("Manual", False, None, "shared")
    assert spec.gain is not None
    assert (spec.gain.gpus, spec.gain.claims, spec.gain.summary) == (1, 1, "1 GPU, 1 claim")
    assert spec.reason == (
        "brings scattered models together: moving 1 pod regains 1 GPU of 192.0 GiB in all and gives 1 claim that waits "
        "a place"
    )


def test_the_same_chance_is_the_same_plan_until_one_was_there() -> None:
    best, *_ = chances(scene(GPUS))
    first = plan_of(best, POLICY, ())
    assert plan_of(best, POLICY, ()).metadata.name == first.metadata.name
    assert plan_of(best, POLICY, [first]).metadata.name != first.metadata.name


@pytest.mark.parametrize(
    ("spec", "want"),
    [
        pytest.param({"gain": {"gpus": 1}, "policyRef": "shared"}, True, id="ours"),
        pytest.param({"gain": {"gpus": 1}, "policyRef": "other"}, False, id="another policy's"),
        pytest.param({"policyRef": "shared"}, False, id="for a claim"),
        pytest.param({"gain": {"gpus": 1}, "policyRef": "shared", "dryRun": True}, False, id="a dry run"),
    ],
)
def test_which_plans_are_such_proposals(spec: dict[str, object], want: bool) -> None:
    made = plan()
    made["spec"] |= spec
    assert is_own(RepartitionPlan.model_validate(made), "shared") is want
