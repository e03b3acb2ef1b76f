from typing import Any

import pytest
from msgspec.structs import replace

from api.v1beta1 import GPUPartitionClaim
from controller.placement.demand import Requirement
from controller.placement.scores import Scorer
from controller.placement.snapshot import Holder, Snapshot
from controller.reconcilers.gpu_partition_claim.repair import (
    MOST_WORDS,
    PATIENCE_SECONDS,
    Repair,
    Repin,
    Replace,
    Stuck,
    Wait,
    judge,
    pinned_demand,
    refusal,
    unschedulable,
)
from controller.runtime.objects.metadata import Condition
from controller.runtime.objects.pod import PodStatus
from tests.builders.claim import allocation, bound_claim, claim
from tests.builders.gpu import FOREIGN, GIB, OURS, device_name, full, gpu
from tests.builders.node import node
from tests.builders.pod import typed_pod

ROOM = Snapshot([node("worker-0", gpu(0, holders={0: FOREIGN, 1: OURS})), node("worker-1")])
FULL = Snapshot([node("worker-0", full(0)), node("worker-1")])
SILENT = Snapshot([node("worker-0", gpu(0, holders={0: FOREIGN}), fresh=False)])
CORDONED = Snapshot([node("worker-0", gpu(0, holders={0: FOREIGN}), unschedulable=True, ready=False)])
GONE = Snapshot([node("worker-1")])


def verdict(
    snapshot: Snapshot, *, taken: bool = True, refused: bool = True, elsewhere: bool = True, **standing: Any
) -> Repair:
    claim = GPUPartitionClaim.model_validate(bound_claim())
    wanted = pinned_demand("team-a/aim-a", "u", "team-a", Requirement(16 * GIB))
    lost = {("worker-0", device_name(0, 0))} if taken else set()
    circumstances: Any = {"owned": True, "age": 31.0} | standing
    return judge(snapshot, claim, wanted, lost=lost, refused=refused, elsewhere=lambda: elsewhere, **circumstances)


@pytest.mark.parametrize(
    ("found", "want"),
    [
        pytest.param(verdict(ROOM, age=0.0), Wait(PATIENCE_SECONDS), id="the scheduler has its 30 s"),
        pytest.param(verdict(ROOM, age=29.0), Wait(1.0), id="and no more"),
        pytest.param(verdict(ROOM, taken=False, refused=False), Wait(PATIENCE_SECONDS), id="no word against the pin"),
        pytest.param(verdict(FULL), Replace(), id="nothing left on the node, the pod has a controller"),
        pytest.param(verdict(FULL, owned=False), Stuck(), id="nothing left, and nobody would make another pod"),
        pytest.param(verdict(GONE), Replace(), id="the node is gone"),
        pytest.param(verdict(SILENT), Replace(), id="a silent agent's inventory binds nothing"),
        pytest.param(verdict(ROOM, taken=False), Replace(refused=True), id="refused for another reason"),
        pytest.param(verdict(ROOM, taken=False, patience=60.0), Stuck(refused=True), id="refused, and lately before"),
        pytest.param(verdict(ROOM, taken=False, elsewhere=False), Stuck(refused=True), id="refused, nowhere to go"),
        pytest.param(
            verdict(ROOM, taken=False, owned=False), Stuck(refused=True), id="refused, nobody to make another"
        ),
    ],
)
def test_verdicts(found: Repair, want: Repair) -> None:
    assert found == want


@pytest.mark.parametrize("snapshot", [ROOM, CORDONED], ids=["with room", "cordoned since: the pod is pinned already"])
def test_another_free_partition_of_the_same_node(snapshot: Snapshot) -> None:
    found = verdict(snapshot)
    assert isinstance(found, Repin)
    assert found.placed.node.name == "worker-0"
    assert snapshot.holder(found.placed.node, found.placed.partition) is None


def test_one_of_two_is_lost_and_another_two_of_the_node_are_chosen_of_which_one_may_be_our_own() -> None:
    ours = Holder("ours", "team-a/aim-a")
    host = node("worker-0", gpu(0, holders={0: ours, 1: ours} | dict.fromkeys(range(2, 7), FOREIGN)))
    given = {"phase": "Bound", "allocation": allocation("worker-0", 0, 0, 1)}
    made = GPUPartitionClaim.model_validate(claim(status=given))
    wanted = pinned_demand("team-a/aim-a", "u", "team-a", Requirement(16 * GIB, count=2))
    found = judge(
        Snapshot([host]), made, wanted, lost={("worker-0", device_name(0, 0))}, refused=True, owned=True, age=31.0
    )
    assert isinstance(found, Repin)
    assert [one.id.index for one in found.placed.partitions] == [1, 7]


@pytest.mark.parametrize(
    ("condition", "want"),
    [
        pytest.param(None, False, id="nothing said yet"),
        pytest.param(("False", "Unschedulable"), True, id="unschedulable"),
        pytest.param(("False", "SchedulingGated"), False, id="gated"),
        pytest.param(("True", ""), False, id="scheduled"),
    ],
)
def test_the_schedulers_word(condition: tuple[str, str] | None, want: bool) -> None:
    others = Condition(type="PodReadyToStartContainers", status="False", reason="Unschedulable")
    said = [
        Condition(type="PodScheduled", status=status, reason=reason) for status, reason in filter(None, [condition])
    ]
    made = replace(typed_pod(), status=PodStatus(conditions=(others, *said)))
    assert unschedulable(made) is want


def test_its_words_are_told_but_not_at_any_length() -> None:
    said = Condition(type="PodScheduled", status="False", reason="Unschedulable", message="0/3 nodes: " + "x" * 5000)
    words = refusal(replace(typed_pod(), status=PodStatus(conditions=(said,))))
    assert words is not None
    assert words.startswith("0/3 nodes")
    assert len(words) <= MOST_WORDS


def test_of_a_pod_that_is_gone_the_scheduler_says_nothing() -> None:
    assert not unschedulable(None)


def test_a_pinned_pod_asks_nothing_more_of_its_node() -> None:
    wanted = pinned_demand("team-a/aim-a", "u", "team-a", Requirement(GIB))
    assert wanted.pod.resources.pods == wanted.pod.resources.cpu_milli == 0


def test_another_place_is_chosen_by_the_scorer_that_places_claims() -> None:
    snapshot = Snapshot([node("worker-0", gpu(0, holders={0: FOREIGN}), gpu(1, "SPX/NPS1"))])
    claim = GPUPartitionClaim.model_validate(bound_claim())
    wanted = pinned_demand("team-a/aim-a", "u", "team-a", Requirement(16 * GIB))
    largest: Scorer = lambda *asked: (-asked[-1].bytes, 0, 0, "", "", 0)  # noqa: E731
    lost = {("worker-0", device_name(0, 0))}
    found = judge(snapshot, claim, wanted, lost=lost, refused=True, owned=True, age=31.0, scorer=largest)
    assert isinstance(found, Repin)
    assert str(found.placed.mode) == "SPX/NPS1"
