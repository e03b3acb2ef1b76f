from random import Random

import pytest

from controller.placement.demand import Resources
from controller.placement.snapshot import Holder, Node, Snapshot, Taint
from controller.reconcilers.gpu_partition_claim.exclusions import (
    AGAIN_SECONDS,
    FORGOTTEN_SECONDS,
    MOST_SECONDS,
    PATIENCE_SECONDS,
    Exclusions,
)
from tests.builders.gpu import FOREIGN, OURS, full, gpu
from tests.builders.node import node
from tests.fakes.clock import FakeClock

WHOSE = ("owner-1", "hash-1")
THEN = Snapshot([node("worker-0", full(0)), node("worker-1")])
SAID = "1 node(s) had a volume in another zone."


class Pods:
    """The pods on every node, by uid, and the exclusions that ask for them."""

    def __init__(self) -> None:
        self.there = frozenset({"other", "refused"})
        self.clock = FakeClock()
        self.exclusions = Exclusions(self.clock, lambda _: self.there, Random(1))

    def excluded(self, now: Snapshot = THEN) -> frozenset[str]:
        return self.exclusions.excluded(WHOSE, lambda: now)

    def refuse(self, node: str = "worker-0") -> None:
        self.exclusions.refused(WHOSE, node, THEN, "refused", SAID)


@pytest.fixture
def pods() -> Pods:
    return Pods()


@pytest.mark.parametrize(
    ("now", "want"),
    [
        pytest.param(THEN, {"worker-0"}, id="while nothing changed"),
        pytest.param(
            Snapshot([node("worker-0", full(0, holder=FOREIGN))]), {"worker-0"}, id="another holder is no room"
        ),
        pytest.param(Snapshot([node("worker-0", gpu(0, holders={1: OURS}))]), set(), id="a partition became free"),
        pytest.param(Snapshot([node("worker-0", full(0, "DPX/NPS1"))]), set(), id="another mode"),
        pytest.param(Snapshot([node("worker-1")]), set(), id="the node is gone"),
    ],
)
def test_after_a_lost_device_a_node_is_left_out_until_there_is_other_room(
    pods: Pods, now: Snapshot, want: set[str]
) -> None:
    pods.exclusions.lost(WHOSE, "worker-0", THEN, "team-a/other")
    assert pods.excluded(now) == want
    assert pods.excluded() == want, "once it is tried again it is not left out for the same"


def test_what_the_replaced_claim_gives_back_is_no_other_room(pods: Pods) -> None:
    held = Snapshot([node("worker-0", gpu(0, holders=dict.fromkeys(range(8), FOREIGN) | {0: Holder("ours", "a/b")}))])
    pods.exclusions.lost(WHOSE, "worker-0", held, "a/b")
    assert pods.excluded(Snapshot([node("worker-0", gpu(0, holders=dict.fromkeys(range(1, 8), FOREIGN)))]))


@pytest.mark.parametrize(
    ("now", "there", "want"),
    [
        pytest.param(node("worker-0", full(0)), {"other"}, True, id="the refused pod itself went"),
        pytest.param(node("worker-0"), {"other"}, True, id="its partition is free again: that refused nobody"),
        pytest.param(node("worker-0", full(0)), {"other", "more"}, True, id="a pod came"),
        pytest.param(node("worker-0", full(0)), {"more"}, False, id="a pod left"),
        pytest.param(node("worker-0", full(0), labels={"zone": "b"}), {"other"}, False, id="another label"),
        pytest.param(node("worker-0", full(0), taints=[Taint("a", "", "NoSchedule")]), {"other"}, False, id="a taint"),
        pytest.param(node("worker-0", full(0), allocatable=Resources(1, 1, 1)), {"other"}, False, id="allocatable"),
        pytest.param(node("worker-0", full(0), unschedulable=True), {"other"}, False, id="cordoned"),
    ],
)
def test_after_a_refusal_a_node_is_left_out_until_something_there_could_matter(
    pods: Pods, now: Node, there: set[str], want: bool
) -> None:
    pods.refuse()
    pods.there = frozenset(there)
    assert bool(pods.excluded(Snapshot([now]))) is want


def test_a_node_that_refuses_again_is_left_out_longer_whatever_changes(pods: Pods) -> None:
    moved = Snapshot([node("worker-0", labels={"zone": "b"})])
    for _ in range(2):
        pods.refuse()
    assert pods.excluded(moved)
    pods.clock.tick(AGAIN_SECONDS * 1.5)
    assert not pods.excluded(moved)


def test_where_nothing_changes_that_is_seen_here_a_node_is_tried_once_in_a_long_while(pods: Pods) -> None:
    pods.refuse()
    pods.clock.tick(MOST_SECONDS / 2)
    assert pods.excluded()
    pods.clock.tick(AGAIN_SECONDS * 24)
    assert not pods.excluded()


def test_each_refusal_is_borne_longer_than_the_one_before_and_all_are_forgotten(pods: Pods) -> None:
    assert pods.exclusions.patience(WHOSE) == PATIENCE_SECONDS
    for _ in range(2):
        pods.refuse()
    assert pods.exclusions.patience(WHOSE) == PATIENCE_SECONDS * 4
    for _ in range(20):
        pods.refuse()
    assert pods.exclusions.patience(WHOSE) == MOST_SECONDS
    pods.clock.tick(FORGOTTEN_SECONDS)
    pods.refuse()
    assert pods.exclusions.patience(WHOSE) == PATIENCE_SECONDS * 2


def test_what_is_kept_is_bounded_by_time(pods: Pods) -> None:
    pods.refuse()
    pods.clock.tick(FORGOTTEN_SECONDS)
    pods.exclusions.refused(("owner-2", ""), "worker-0", THEN, "refused", SAID)
    assert pods.excluded() == frozenset()


def test_the_schedulers_words_are_kept_while_the_node_is_left_out(pods: Pods) -> None:
    pods.refuse()
    assert SAID.rstrip(".") in pods.exclusions.words(WHOSE)
    assert "worker-0" in pods.exclusions.words(WHOSE)
    pods.there = frozenset()
    pods.excluded()
    assert pods.exclusions.words(WHOSE) == ""


@pytest.mark.parametrize("other", [("owner-2", "hash-1"), ("owner-1", "hash-2")], ids=["owner", "revision"])
def test_another_owner_or_revision_is_not_concerned_and_no_snapshot_is_taken_in_vain(
    pods: Pods, other: tuple[str, str]
) -> None:
    def never() -> Snapshot:
        raise AssertionError("a snapshot is dear")

    pods.refuse()
    assert pods.exclusions.excluded(other, never) == frozenset()


def test_a_node_that_is_not_there_is_not_remembered(pods: Pods) -> None:
    pods.refuse("worker-9")
    pods.exclusions.lost(WHOSE, "worker-9", THEN, "a/b")
    assert pods.excluded() == frozenset()
