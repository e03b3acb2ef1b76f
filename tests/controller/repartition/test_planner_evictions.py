"""Changes that move pods: for whom, and what keeps them from being proposed."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from controller.gpu.identity import PartitionId
from controller.gpu.mode import Mode
from controller.placement.snapshot import Gpu, Node, Reservation, Snapshot
from controller.repartition.attempts import Attempt, Attempts, Change
from controller.repartition.disruption_budget import Refused
from controller.repartition.planner import MOST_DRAINS, Proposal, Standing, propose
from controller.repartition.victims import Victim, Victims
from tests.builders.demand import demand
from tests.builders.gpu import FOREIGN, OURS, bdf, device_name, gpu
from tests.builders.node import node
from tests.builders.policy import policy_view
from tests.builders.victim import victim
from tests.fakes.clock import START

LARGE = demand(gib=150)
SPARE = node("worker-9", gpu(0, "CPX/NPS1"), labels={"zone": "spare"})
"""Where victims can go; no policy lets it change."""


def host(*gpus: Gpu, name: str = "worker-0", **policy: Any) -> Node:
    return node(name, *gpus, policy=policy_view(**{"approval": "Manual"} | policy))


def on(*victims: Victim) -> Victims:
    return Victims({"worker-0": {each.partition: each for each in victims}})


def taken(number: int, *indices: int) -> Gpu:
    return gpu(number, "CPX/NPS1", holders=dict.fromkeys(indices, OURS))


def asked(*nodes: Node, wanted: Any = LARGE, **standing: Any) -> Proposal | Refused:
    return propose(Snapshot(nodes), wanted, (), Standing(**standing))


def victims_of(found: Proposal | Refused) -> list[str]:
    assert isinstance(found, Proposal), found
    return [each.pod for each in found.victims]


def test_a_person_is_asked_for_a_change_that_moves_the_fewest_pods() -> None:
    crowd = [victim("b-0", 0, 0), victim("b-1", 0, 1), victim("b-2", 1, 5)]
    found = asked(host(taken(0, 0, 1), taken(1, 5)), SPARE, movable=on(*crowd))
    assert victims_of(found) == ["b-2"]
    assert isinstance(found, Proposal)
    assert (found.target, str(found.mode), found.automatic) == (bdf(1), "SPX/NPS1", False)


def test_an_idle_gpu_is_changed_rather_than_that_anybody_moves() -> None:
    found = asked(host(taken(0, 0), gpu(1, "CPX/NPS1")), SPARE, movable=on(victim("b-0")))
    assert victims_of(found) == []


@pytest.mark.parametrize(
    ("approval", "ours", "theirs", "want"),
    [
        pytest.param("Auto", 10, 9, ["b-0"], id="higher than every victim's"),
        pytest.param("Auto", 10, 10, None, id="an equal one moves nobody"),
        pytest.param("Auto", 0, 5, None, id="a lower one"),
        pytest.param("Manual", 0, 5, ["b-0"], id="a person may approve it"),
    ],
)
def test_without_a_person_only_a_higher_priority_moves_pods(
    approval: str, ours: int, theirs: int, want: list[str] | None
) -> None:
    found = asked(
        host(taken(0, 0), approval=approval),
        SPARE,
        wanted=demand(gib=150, priority=ours),
        movable=on(victim("b-0", priority=theirs)),
    )
    if want is None:
        assert isinstance(found, Refused)
        assert found.reason == "NoIdleGPU"
        return
    assert victims_of(found) == want
    assert isinstance(found, Proposal)
    assert found.automatic == (approval == "Auto")


def test_one_pod_of_the_same_priority_keeps_all_where_no_person_is_asked() -> None:
    crowd = on(victim("b-0", index=0, priority=1), victim("b-1", index=1, priority=5))
    found = asked(host(taken(0, 0, 1), approval="Auto"), SPARE, wanted=demand(gib=150, priority=5), movable=crowd)
    assert isinstance(found, Refused)


def kept(card: Gpu) -> Gpu:
    first = replace(card.partitions[7], reservation=Reservation("uid-x"))
    return replace(card, partitions=(*card.partitions[:7], first))


def quarantined(card: Gpu) -> Gpu:
    last = replace(card.partitions[7], quarantined=True)
    return replace(card, partitions=(*card.partitions[:7], last))


@pytest.mark.parametrize(
    ("nodes", "standing", "want"),
    [
        pytest.param([host(taken(0, 0, 1)), SPARE], {}, "NoIdleGPU", id="one holder is nobody's pod that may move"),
        pytest.param([host(taken(0, 0))], {}, "NoPlaceForVictim", id="it has no other place"),
        pytest.param(
            [host(gpu(0, "CPX/NPS1", holders={0: OURS, 1: FOREIGN})), SPARE], {}, "NoIdleGPU", id="a foreign holder"
        ),
        pytest.param(
            [host(taken(0, 0)), SPARE],
            {"admin_held": frozenset({("worker-0", device_name(0, 4))})},
            "NoIdleGPU",
            id="a holder with adminAccess",
        ),
        pytest.param([host(kept(taken(0, 0))), SPARE], {}, "NoIdleGPU", id="a place there is kept for a successor"),
        pytest.param([host(quarantined(taken(0, 0))), SPARE], {}, "NoIdleGPU", id="a partition there is in quarantine"),
        pytest.param(
            [host(taken(0, 0), max_unavailable_pods=0), SPARE], {}, "UnavailablePodsBudget", id="no pod may be down"
        ),
        pytest.param([host(taken(0, 0)), SPARE], {"unavailable_pods": 1}, "UnavailablePodsBudget", id="one is down"),
        pytest.param([host(taken(0, 0), cooldown_left=5.0), SPARE], {}, "Cooldown", id="the node rests"),
    ],
)
def test_what_keeps_a_pod_where_it_is(nodes: list[Node], standing: dict[str, Any], want: str) -> None:
    found = asked(*nodes, movable=on(victim("b-0")), **standing)
    assert isinstance(found, Refused), found
    assert found.reason == want


def test_a_pod_without_a_controller_is_not_planned_away() -> None:
    assert isinstance(asked(host(taken(0, 0)), SPARE, movable=on(victim(owner=""))), Refused)


def test_idle_gpus_with_an_admin_holder_or_a_kept_place_are_left_alone() -> None:
    admin = frozenset({("worker-0", device_name(0, 4))})
    both = host(gpu(0, "CPX/NPS1"), kept(gpu(1, "CPX/NPS1")))
    assert isinstance(asked(both, admin_held=admin), Refused)
    found = asked(host(*both.gpus, gpu(2, "CPX/NPS1")), admin_held=admin)
    assert isinstance(found, Proposal)
    assert found.target == bdf(2)


def test_a_gpu_with_a_broken_partition_is_not_made_into_one_whole() -> None:
    assert isinstance(asked(host(gpu(0, "CPX/NPS1", unhealthy=[3]))), Refused)


def tried(*numbers: int, minutes: float = 1) -> Attempts:
    mode = Mode.parse("SPX/NPS1")
    ended = START - timedelta(minutes=minutes)
    return Attempts([Attempt(Change("worker-0", ((bdf(n), mode),)), ended) for n in numbers], START)


def test_another_gpu_is_tried_in_place_of_one_that_failed() -> None:
    idle = host(gpu(0, "CPX/NPS1"), gpu(1, "CPX/NPS1"))
    found = asked(idle, attempts=tried(0))
    assert isinstance(found, Proposal)
    assert (found.target, found.attempt) == (bdf(1), 0)


def test_when_every_change_failed_lately_the_claim_waits_and_then_tries_again() -> None:
    idle = host(gpu(0, "CPX/NPS1"))
    resting = asked(idle, attempts=tried(0))
    assert isinstance(resting, Refused)
    assert resting.reason == "RepartitionTried"
    again = asked(idle, attempts=tried(0, minutes=11))
    assert isinstance(again, Proposal)
    assert again.attempt == 1


def test_a_claim_for_which_much_failed_lately_waits_whatever_else_there_is() -> None:
    idle = host(*(gpu(n, "CPX/NPS1") for n in range(4)))
    found = asked(idle, attempts=tried(0, 1, 2))
    assert isinstance(found, Refused)
    assert found.reason == "RepartitionTried"
    assert found.message.endswith("the next one may come at 2026-01-01 00:59 UTC")


def test_a_change_of_the_whole_node_moves_the_pods_of_all_its_gpus() -> None:
    whole = host(*(gpu(n, "CPX/NPS4", holders={n: OURS}) for n in range(2)))
    found = asked(whole, SPARE, movable=on(victim("b-0", 0, 0), victim("b-1", 1, 1, priority=-1)))
    assert victims_of(found) == ["b-1", "b-0"]
    assert isinstance(found, Proposal)
    assert found.reloads_driver
    assert [each for each, _ in found.after] == [bdf(0), bdf(1)]


def test_the_search_for_places_ends_after_so_many_changes() -> None:
    nodes = [host(taken(0, 0), name=f"host-{n:03}") for n in range(MOST_DRAINS + 1)]
    here = PartitionId(bdf(0), 0)
    movable = Victims({each.name: {here: victim(gib=190)} for each in nodes} | {nodes[-1].name: {here: victim("b-9")}})
    assert isinstance(asked(*nodes, SPARE, movable=movable), Refused)
    assert victims_of(asked(*nodes[1:], SPARE, movable=movable)) == ["b-9"]


def test_a_pod_of_two_partitions_is_one_in_the_way() -> None:
    pair = victim("b-pair", 0, 0, count=2)
    there = Victims(
        {
            "worker-0": {
                PartitionId(bdf(0), index): replace(pair, partition=PartitionId(bdf(0), index)) for index in (0, 1)
            }
        }
    )
    assert victims_of(asked(host(taken(0, 0, 1)), SPARE, movable=there)) == ["b-pair"]
    alone = asked(host(taken(0, 0, 1)), node("worker-9", gpu(0, "SPX/NPS1")), movable=there)
    assert isinstance(alone, Refused)
    assert alone.reason == "NoPlaceForVictim"
