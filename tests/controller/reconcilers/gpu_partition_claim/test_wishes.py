from dataclasses import replace

from api.object import dump
from controller.placement.snapshot import Snapshot
from controller.reconcilers.gpu_partition_claim.wishes import plan_for
from controller.repartition.planner import Proposal, propose
from tests.builders.demand import demand
from tests.builders.gpu import bdf, gpu
from tests.builders.node import node
from tests.builders.policy import policy_view

WANTED = demand(gib=16, modes=["CPX/NPS4"])


def proposal(approval: str = "Auto") -> Proposal:
    host = node("worker-0", gpu(0, "SPX/NPS1"), gpu(1, "QPX/NPS1"), policy=policy_view(approval=approval))
    found = propose(Snapshot([host]), WANTED, [])
    assert isinstance(found, Proposal)
    return found


def test_the_plan_says_what_changes_for_whom_and_why() -> None:
    spec = dump(plan_for(proposal(), WANTED))["spec"]
    assert spec["node"] == "worker-0"
    assert spec["from"]["gpus"] == [{"bdf": bdf(0), "mode": "SPX/NPS1"}, {"bdf": bdf(1), "mode": "QPX/NPS1"}]
    assert {row["mode"].split("/")[1] for row in spec["to"]["gpus"]} == {"NPS4"}
    assert spec["claimRef"] == {"namespace": "team-a", "name": "aim-a", "uid": WANTED.uid}
    assert spec["reason"] == "claim team-a/aim-a needs a partition of 16.0 GiB"
    assert (spec["policyRef"], spec["approval"], spec["approved"]) == ("shared", "Auto", False)


def test_a_manual_policy_asks_a_person() -> None:
    assert dump(plan_for(proposal("Manual"), WANTED))["spec"]["approval"] == "Manual"


def test_made_twice_it_is_one_object_and_another_claims_is_another() -> None:
    first, again = plan_for(proposal(), WANTED), plan_for(proposal(), WANTED)
    other = plan_for(proposal(), demand("aim-b", 16, modes=["CPX/NPS4"]))
    assert first == again
    assert first.metadata.name != other.metadata.name
    assert first.metadata.name.startswith("worker-0-")


def test_another_attempt_is_another_object() -> None:
    assert plan_for(replace(proposal(), attempt=1), WANTED).metadata.name != plan_for(proposal(), WANTED).metadata.name


def test_a_change_that_serves_others_too_tells_how_many_and_not_whom() -> None:
    spec = dump(plan_for(replace(proposal(), more=9), WANTED))["spec"]
    assert spec["reason"].endswith("of 16.0 GiB; the same change gives 9 more claims a place")


def test_a_claim_of_several_partitions_says_so() -> None:
    spec = dump(plan_for(proposal(), demand(gib=16, count=4)))["spec"]
    assert spec["reason"] == "claim team-a/aim-a needs 4 partitions of 16.0 GiB"
