from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from controller.gpu.identity import PartitionId
from controller.gpu.mode import Mode
from controller.placement.demand import Resources
from controller.placement.snapshot import Gpu, Node, Reservation, Snapshot
from controller.repartition import places
from controller.repartition.disruption_budget import Refused
from controller.repartition.drain import Drain, decide_drain
from controller.repartition.move import Move
from controller.repartition.victims import Victim
from controller.sizing.precision import Precision
from tests.builders.demand import constrained
from tests.builders.gpu import FOREIGN, GIB, OURS, bdf, busy, full, gpu
from tests.builders.node import node
from tests.builders.policy import policy_view
from tests.builders.victim import victim

TOUCHED = frozenset({bdf(0)})


def decided(
    nodes: Sequence[Node], *victims: Victim, budget: int = 9, most: int = 99, touched: frozenset[str] = TOUCHED
) -> Drain | Refused:
    """The decision for worker-0; pods of a priority below `most` may be moved."""
    return decide_drain(
        Snapshot(nodes), "worker-0", touched, victims, budget_left=budget, allowed=lambda v: v.priority < most
    )


def moved(nodes: Sequence[Node], *victims: Victim, budget: int = 9) -> dict[str, str]:
    found = decided(nodes, *victims, budget=budget)
    assert isinstance(found, Drain), found
    return {move.victim.pod: f"{move.node} {move.partition}" for move in found.moves}


def kept(card: Gpu, *indices: int) -> Gpu:
    """The GPU with these partitions kept for somebody's successor."""
    return replace(
        card,
        partitions=tuple(
            replace(p, reservation=Reservation("uid-replicas", "abc")) if p.id.index in indices else p
            for p in card.partitions
        ),
    )


def test_a_victim_moves_to_the_tightest_free_partition_in_its_present_mode() -> None:
    hosts = [node("worker-0", busy(0), gpu(1, "SPX/NPS1")), node("worker-1", gpu(0, "DPX/NPS1"), gpu(1))]
    found = decided(hosts, victim("b-0"))
    place = hosts[1].gpus[1].partitions[0]
    assert found == Drain(
        (Move(victim("b-0"), "worker-1", PartitionId(bdf(1), 0), Mode.parse("CPX/NPS4"), place.bytes),), ""
    )


def test_the_pin_to_its_present_node_does_not_hold_a_pod_there() -> None:
    pinned = victim(constraints=constrained(node_selector=(("kubernetes.io/hostname", "worker-0"),)))
    assert moved([node("worker-0", busy(0)), node("worker-1", gpu(0))], pinned) == {"b-0": f"worker-1 {bdf(0)}/0"}


def test_a_victim_moves_only_where_its_precision_is_served() -> None:
    hosts = [node("worker-0", full(0)), node("worker-1", gpu(0, "SPX/NPS1", product="MI210")), node("worker-2", gpu(0))]
    pair = [victim("b-8", index=0, precision=Precision.FP8), victim("b-16", index=1, precision=Precision.BF16)]
    assert set(moved(hosts, *pair).values()) == {f"worker-2 {bdf(0)}/0", f"worker-2 {bdf(0)}/1"}
    assert moved(hosts[:2], pair[1]) == {"b-16": f"worker-1 {bdf(0)}/0"}
    for crowd in (pair, pair[::-1]):
        found = decided(hosts[:2], *crowd)
        assert isinstance(found, Refused)
        assert "b-8" in found.message


def test_nobody_in_the_way_means_nothing_to_do() -> None:
    assert decided([node("worker-0", gpu(0))]) == Drain((), "")


def test_at_most_as_many_move_as_the_budget_leaves_and_the_least_important_first() -> None:
    hosts = [node("worker-0", full(0), gpu(1))]
    crowd = [victim(f"b-{n}", index=n, priority=-n) for n in range(4)]
    found = decided(hosts, *crowd, budget=1)
    assert isinstance(found, Drain)
    assert [move.victim.pod for move in found.moves] == ["b-3"]
    assert found.waiting == "3 more pods move once pods that are down are back (repartition.maxUnavailablePods)"


@pytest.mark.parametrize("budget", [0, -1])
def test_a_budget_that_is_used_up_moves_nobody_and_is_no_refusal(budget: int) -> None:
    found = decided([node("worker-0", busy(0), gpu(1))], victim(), budget=budget)
    assert isinstance(found, Drain)
    assert (found.moves, found.waiting[:11]) == ((), "1 more pod ")


@pytest.mark.parametrize(
    "nodes",
    [
        pytest.param([node("worker-0", gpu(0))], id="only partitions of the GPU itself are free"),
        pytest.param([node("worker-0", busy(0), full(1))], id="everything else is held"),
        pytest.param([node("worker-0", busy(0), gpu(1, unhealthy=range(8)))], id="unhealthy"),
        pytest.param([node("worker-0", busy(0), kept(gpu(1), *range(8)))], id="kept for others, even of one owner"),
        pytest.param([node("worker-0", busy(0), gpu(1, plan="plan-9"))], id="another plan has it in hand"),
        pytest.param([node("worker-0", busy(0)), node("worker-1", gpu(0), unschedulable=True)], id="cordoned"),
        pytest.param([node("worker-0", busy(0)), node("worker-1", gpu(0), fresh=False)], id="stale"),
        pytest.param(
            [node("worker-0", busy(0)), node("worker-1", gpu(0), policy=policy_view(namespaces=frozenset({"team-x"})))],
            id="a policy for others",
        ),
        pytest.param([node("worker-0", busy(0)), node("worker-1", gpu(0), allocatable=Resources())], id="no pod slot"),
    ],
)
def test_a_victim_without_a_place_is_named_and_nobody_moves(nodes: Sequence[Node]) -> None:
    found = decided(nodes, victim("b-0"))
    assert isinstance(found, Refused)
    assert found.reason == "NoPlaceForVictim"
    assert found.message.startswith(f"pod team-b/b-0 on {bdf(0)}/0 needs a partition of 16.0 GiB elsewhere")


def test_partitions_in_quarantine_are_no_place() -> None:
    spare = gpu(1)
    spare = replace(spare, partitions=tuple(replace(p, quarantined=True) for p in spare.partitions))
    assert isinstance(decided([node("worker-0", busy(0), spare)], victim()), Refused)


def test_one_victim_without_a_place_keeps_all_others_where_they_are() -> None:
    found = decided([node("worker-0", full(0), gpu(1))], victim("b-0"), victim("b-1", index=1, gib=100))
    assert isinstance(found, Refused)
    assert "team-b/b-1" in found.message


def test_the_same_node_has_room_for_what_its_own_pod_uses() -> None:
    asks = victim(constraints=constrained(Resources(4000, 8 * GIB, 1)))
    packed = Resources(4000, 8 * GIB, 1)
    assert moved([node("worker-0", busy(0), gpu(1), allocatable=packed, used=packed)], asks) == {
        "b-0": f"worker-0 {bdf(1)}/0"
    }


def test_other_nodes_need_room_for_all_that_come_there() -> None:
    asks = [victim(f"b-{n}", index=n, constraints=constrained(Resources(4000, 0, 1))) for n in range(2)]
    room = Resources(cpu_milli=4000, memory_bytes=GIB, pods=9)
    crowded, spare = (node(name, gpu(0), allocatable=room) for name in ("worker-1", "worker-2"))
    home = node("worker-0", full(0))
    assert moved([home, crowded, spare], *asks) == {"b-0": f"worker-1 {bdf(0)}/0", "b-1": f"worker-2 {bdf(0)}/0"}
    assert isinstance(decided([home, crowded], *asks), Refused)


def test_a_place_is_given_up_for_a_pod_that_has_no_other() -> None:
    # The tightest place of the first is the only place of the second.
    picky = victim("b-1", index=1, constraints=constrained(node_selector=(("zone", "north"),)))
    hosts = [
        node("worker-0", full(0)),
        node("worker-1", kept(gpu(0), *range(1, 8)), labels={"zone": "north"}),
        node("worker-2", kept(gpu(0), *range(1, 8))),
    ]
    assert moved(hosts, victim("b-0", priority=-1), picky) == {
        "b-0": f"worker-2 {bdf(0)}/0",
        "b-1": f"worker-1 {bdf(0)}/0",
    }


@pytest.mark.parametrize(
    ("others", "nodes", "want"),
    [
        pytest.param(
            [victim("b-1", index=1, owner="")],
            [node("worker-0", full(0), gpu(1))],
            "team-b/b-1 would not come back, for no controller makes a successor: delete it by hand",
            id="a pod without controller",
        ),
        pytest.param(
            [victim("b-1", index=1, priority=50)],
            [node("worker-0", full(0), gpu(1))],
            "team-b/b-1 may be moved only for a claim of higher priority or by a person's approval",
            id="a pod that may not be moved",
        ),
        pytest.param(
            [],
            [node("worker-0", gpu(0, holders={0: OURS, 5: FOREIGN}), gpu(1))],
            f"{bdf(0)}/5 held by a workload that is not managed here: it ends by itself or by hand",
            id="a foreign holder",
        ),
    ],
)
def test_who_must_not_be_moved_keeps_everybody_and_is_named(others: list[Victim], nodes: list[Node], want: str) -> None:
    assert decided(nodes, victim("b-0"), *others, most=50) == Drain((), want)


def test_long_lists_are_cut() -> None:
    crowd = [victim(f"b-{n}", index=n, owner="") for n in range(5)]
    found = decided([node("worker-0", full(0))], *crowd)
    assert isinstance(found, Drain)
    assert found.waiting.startswith("team-b/b-0, team-b/b-1, team-b/b-2 and 2 more would not come back")


def test_a_change_of_the_whole_node_moves_its_pods_to_other_nodes() -> None:
    hosts = [node("worker-0", busy(0), gpu(1)), node("worker-1", gpu(0))]
    found = decided(hosts, victim(), touched=frozenset({bdf(0), bdf(1)}))
    assert isinstance(found, Drain)
    assert [move.node for move in found.moves] == ["worker-1"]


def counted(function: Callable[..., object], name: str, calls: Counter[str]) -> Callable[..., object]:
    """The function, whose calls are counted under its name."""

    def call(*asked: object) -> object:
        calls[name] += 1
        return function(*asked)

    return call


def test_many_pods_that_are_all_different_look_at_each_free_gpu_once_beside_many_nodes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looks: Counter[str] = Counter()
    for name in ("refuse_partition", "best_fit", "refuse_node"):
        monkeypatch.setattr(places, name, counted(getattr(places, name), name, looks))
    hosts = [node("worker-0", *(full(n) for n in range(8)))]
    hosts += [node(f"worker-{n:02}", *(gpu(m) for m in range(8))) for n in range(1, 41)]
    crowd = [victim(f"b-{n}", n // 8, n % 8, gib=5 + n / 10) for n in range(64)]
    found = decided(hosts, *crowd, budget=64, touched=frozenset(map(bdf, range(8))))
    assert isinstance(found, Drain)
    assert len(found.moves) == 64
    assert (looks["refuse_partition"], looks["best_fit"]) == (320, 320)
    assert looks["refuse_node"] <= 64 * 2  # each pod asks no further than for its first place


PAIR = victim("b-pair", count=2)


def gone_to(nodes: Sequence[Node], *victims: Victim, budget: int = 9) -> dict[str, list[str]]:
    found = decided(nodes, *victims, budget=budget)
    assert isinstance(found, Drain), found
    places: dict[str, list[str]] = {}
    for move in found.moves:
        places.setdefault(move.victim.pod, []).append(f"{move.node} {move.partition}")
    return places


def test_a_pod_of_two_partitions_has_a_move_for_each_and_counts_once() -> None:
    hosts = [node("worker-0", full(0)), node("worker-1", gpu(0, "DPX/NPS1"))]
    assert gone_to(hosts, PAIR, budget=1) == {"b-pair": [f"worker-1 {bdf(0)}/0", f"worker-1 {bdf(0)}/1"]}
    assert gone_to(hosts, PAIR, budget=0) == {}


def test_others_get_what_a_pod_of_two_leaves() -> None:
    hosts = [node("worker-0", full(0)), node("worker-1", gpu(0, "QPX/NPS1", holders={0: OURS}))]
    places = gone_to(hosts, PAIR, victim("b-1", 0, 2))
    assert places == {"b-pair": [f"worker-1 {bdf(0)}/1", f"worker-1 {bdf(0)}/2"], "b-1": [f"worker-1 {bdf(0)}/3"]}
    crowded = decided(hosts, PAIR, victim("b-1", 0, 2), victim("b-2", 0, 3))
    assert isinstance(crowded, Refused)


def test_a_pod_of_two_goes_to_no_gpu_that_is_to_be_emptied_nor_to_two_nodes() -> None:
    halves = [node(f"worker-{number}", gpu(0, "DPX/NPS1", holders={0: OURS})) for number in (1, 2)]
    found = decided([node("worker-0", busy(0)), *halves], PAIR)
    assert isinstance(found, Refused)
    assert found.message.startswith(
        f"pod team-b/b-pair on {bdf(0)}/0 needs 2 partitions of 16.0 GiB together elsewhere"
    )


def test_what_was_tried_for_a_pod_of_two_is_taken_back() -> None:
    snapshot = Snapshot([node("worker-0", busy(0)), node("worker-1", gpu(0, "DPX/NPS1"))])
    before = [snapshot.holder(*pair) for pair in ((host, part) for host, _, part in snapshot.partitions())]
    decide_drain(snapshot, "worker-0", TOUCHED, [PAIR], budget_left=1, allowed=lambda _: True)
    assert [snapshot.holder(*pair) for pair in ((host, part) for host, _, part in snapshot.partitions())] == before
    assert all(snapshot.used(host) == host.used for host in snapshot.nodes)
