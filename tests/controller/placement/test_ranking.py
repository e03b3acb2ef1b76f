"""A scheduler that remembers decides as one that looks at every node each time."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from controller.placement import ranking
from controller.placement.decision import Decision, Placed, Unplaced
from controller.placement.demand import Demand, GroupMember, Resources, Shared
from controller.placement.nodes import Nodes
from controller.placement.quota import Quota
from controller.placement.ranking import Rankings, shape_of
from controller.placement.scheduler import ModelScheduler
from controller.placement.scores import Score, best_fit
from controller.placement.snapshot import Awaited, Gpu, Node, Partition, Reservation, Snapshot
from controller.sizing.precision import Precision
from tests.builders.demand import constrained, demand
from tests.builders.gpu import FOREIGN, OURS, gpu, with_partition
from tests.builders.node import node
from tests.builders.peers import ZONE, peer, rules, spread, term
from tests.builders.policy import policy_view

NAMES = [f"worker-{number}" for number in range(5)]
KEPT = [
    None,
    None,
    Reservation("rs-1"),
    Reservation("", claim="uid-team-a/d1"),
    Reservation("", service="team-a/chat"),
]
QUOTAS = policy_view(quotas={"team-a": Quota(most=120 << 30)})


@st.composite
def nodes(draw: st.DrawFn, name: str) -> Node:
    gpus = []
    for number in range(draw(st.integers(1, 2))):
        one = gpu(
            number,
            draw(st.sampled_from(["DPX/NPS1", "CPX/NPS1"])),
            product=draw(st.sampled_from(["MI300X", "MI325X", "MI300X"])),
            holders=draw(st.dictionaries(st.integers(0, 7), st.sampled_from([OURS, FOREIGN]), max_size=6)),
            unhealthy=draw(st.sets(st.integers(0, 7), max_size=1)),
        )
        kept = draw(st.sampled_from(KEPT))
        gpus.append(one if kept is None else with_partition(one, 1, reservation=kept))
    waits = draw(st.sampled_from([(), (Awaited("uid-team-a/d0", 1, Resources(100_000, 0, 1)),)]))
    if draw(st.booleans()):
        gpus.append(gpu(2, "SPX/NPS1", product="MI210"))
    return node(
        name,
        *gpus,
        fresh=draw(st.sampled_from([True, True, True, False])),
        policy=draw(st.sampled_from([None, QUOTAS])),
        claimed={"team-a": draw(st.sampled_from([0, 24 << 30]))},
        awaited=waits,
        labels={ZONE: draw(st.sampled_from(["x", "y"]))},
        peers=draw(st.lists(st.sampled_from(PEERS), max_size=2).map(tuple)),
    )


AROUND = [
    None,
    rules("web"),
    rules("web", repels=(term("web"),)),
    rules("db", repels=(term("web", ZONE),)),
    rules("web", spreads=(spread("web"), spread("web", ZONE))),
    rules("cache", attracts=(term("cache"),)),
    rules("web", prefers=(term("web", ZONE), term("web"))),
]
PEERS = [peer("web"), peer("cache"), peer("db", repels=(term("web", ZONE),)), peer("web", claim="team-a/d0")]
REVISIONS = st.sampled_from([{}, {"service": "team-a/chat"}, {"service": "team-a/chat", "newest": False}])
ALONE = st.builds(
    lambda name, gib, count, precision, priority, owner, cpu, out, revision, around: demand(
        name,
        gib,
        count=count,
        precision=precision,
        priority=priority,
        owner=owner,
        pod=constrained(Resources(cpu, 0, 1)),
        excluded_nodes=frozenset(out),
        rules=around,
        **revision,
    ),
    st.sampled_from(["d0", "d1", "d2", "team-b/d3"]),
    st.sampled_from([16, 40, 60, 300]),
    st.sampled_from([1, 1, 2]),
    st.sampled_from([None, "bf16", "fp8"]),
    st.sampled_from([0, 2]),
    st.sampled_from(["", "rs-1"]),
    st.sampled_from([0, 60_000]),
    st.sets(st.sampled_from(NAMES), max_size=2),
    REVISIONS,
    st.sampled_from(AROUND),
)


def founders(sizes: list[int], precision: str | None) -> Demand:
    """A share group's waiting members, one of which may serve in a precision of its own."""
    members = [GroupMember(size << 30, pod=constrained()) for size in sizes]
    members[-1] = replace(members[-1], precision=None if precision is None else Precision(precision))
    shared = Shared("chat", tuple(members))
    return demand("team-a/aim-group", sum(sizes), pod=constrained(Resources(0, 0, len(sizes))), shared=shared)


FOUNDERS = st.builds(
    founders, st.lists(st.sampled_from([8, 20]), min_size=1, max_size=4), st.sampled_from([None, "fp8"])
)
DEMANDS = ALONE | FOUNDERS


class Remembering(RuleBasedStateMachine):
    """Nodes come, change and go; claims are tried, undone and thought away; two schedulers are asked alike."""

    def __init__(self) -> None:
        super().__init__()
        self.remembering, self.looking = ModelScheduler(), ModelScheduler(remembers=False)
        self.base = Nodes()
        self.begin()

    @rule()
    def begin(self) -> None:
        """A new snapshot of the nodes as they are."""
        self.snapshot = Snapshot(self.base)
        self.undo: list[Callable[[], None]] = []

    @initialize(data=st.data())
    def fill(self, data: st.DataObject) -> None:
        self.base = Nodes(data.draw(nodes(name)) for name in NAMES[:3])
        self.begin()

    @rule(data=st.data(), name=st.sampled_from(NAMES))
    def a_node_changes(self, data: st.DataObject, name: str) -> None:
        self.base = self.base.changed([data.draw(nodes(name))])
        self.begin()

    @rule(name=st.sampled_from(NAMES))
    def a_node_goes(self, name: str) -> None:
        self.base = self.base.changed([], [name])
        self.begin()

    @rule(wanted=DEMANDS, keep=st.booleans())
    def ask(self, wanted: Demand, keep: bool) -> None:
        decision = self.both(self.snapshot, wanted)
        if keep and isinstance(decision, Placed):
            held = self.snapshot.hold(decision.node, decision.partitions, wanted.key, wanted.pod.resources, wanted.peer)
            self.undo.append(held)

    @precondition(lambda self: self.undo)
    @rule()
    def take_back(self) -> None:
        self.undo.pop()()

    @rule(wanted=st.lists(DEMANDS, min_size=1, max_size=3))
    def ask_what_if(self, wanted: Sequence[Demand]) -> None:
        with self.snapshot.without([OURS.name, "team-a/d0"]):
            for each in wanted:
                self.both(self.snapshot, each)
        self.both(self.snapshot, wanted[0])

    @rule(names=st.sets(st.sampled_from(NAMES), min_size=1), wanted=DEMANDS)
    def ask_some_nodes(self, names: set[str], wanted: Demand) -> None:
        self.both(self.snapshot.only(sorted(names)), wanted)

    def both(self, snapshot: Snapshot, wanted: Demand) -> Decision:
        found = self.remembering.schedule(snapshot, wanted)
        assert found == self.looking.schedule(snapshot, wanted)
        return found


QUICK = settings(max_examples=50, stateful_step_count=15, deadline=None)
CONTROL = settings(QUICK, max_examples=300, phases=[Phase.generate], report_multiple_bugs=False)


def test_decisions_and_words_are_those_of_looking_at_every_node() -> None:
    run_state_machine_as_test(Remembering, settings=QUICK)


def test_a_ranking_that_overlooked_what_is_tried_would_be_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Snapshot, "tried_since", lambda _, mark: (mark, frozenset()))
    with pytest.raises((AssertionError, RuntimeError)):
        run_state_machine_as_test(Remembering, settings=CONTROL)


def limited() -> tuple[ModelScheduler, Snapshot, list[Demand]]:
    """A quota that leaves room for one partition, on nodes of which each claim takes another one."""
    one = gpu().partitions[0].bytes
    policy = policy_view(quotas={"team-a": Quota(most=one)})
    hosts = [node(name, allocatable=Resources(1000, 1 << 40, 9), policy=policy) for name in ("a", "b")]
    wanted = [demand(f"d{n}", pod=constrained(Resources(600, 0, 1))) for n in range(2)]
    return ModelScheduler(), Snapshot(hosts), wanted


def test_what_a_namespace_takes_on_one_node_counts_on_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    scheduler, snapshot, wanted = limited()
    assert [type(found) for _, found in scheduler.cycle(snapshot, wanted)] == [Placed, Unplaced]
    monkeypatch.setattr(ranking, "_room", lambda *_: {})
    scheduler, snapshot, wanted = limited()
    assert [type(found) for _, found in scheduler.cycle(snapshot, wanted)] == [Placed, Placed], "no control"


class Counting:
    """A scorer that tells how often it was asked."""

    def __init__(self) -> None:
        self.asked = 0

    def __call__(self, snapshot: Snapshot, wanted: Demand, host: Node, card: Gpu, one: Partition) -> Score:
        self.asked += 1
        return best_fit(snapshot, wanted, host, card, one)


def test_of_a_hundred_nodes_one_is_scored_for_the_second_claim_of_a_shape() -> None:
    scorer = Counting()
    scheduler, snapshot = ModelScheduler(scorer), Snapshot(node(f"worker-{number:02}") for number in range(100))
    for number in range(3):
        found = scheduler.schedule(snapshot, demand(f"aim-{number}", created_seconds=float(number)))
        assert isinstance(found, Placed)
        snapshot.hold(found.node, found.partitions, f"team-a/aim-{number}", Resources())
    assert scorer.asked == 102


def test_shapes_that_were_not_asked_for_lately_are_forgotten() -> None:
    rankings, snapshot = Rankings(best_fit, most_nodes=5), Snapshot([node("a"), node("b")])
    first = rankings.of(snapshot, demand(gib=1))
    rankings.of(snapshot, demand(gib=2))
    assert rankings.of(snapshot, demand(gib=1)) is first
    rankings.of(snapshot, demand(gib=3))
    assert rankings.of(snapshot, demand(gib=1)) is first
    assert len(rankings.of(snapshot, demand(gib=2))) == 2


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param({"precision": "bf16"}, {"precision": "fp8"}, id="another precision"),
        pytest.param({}, {"service": "team-a/chat"}, id="the service that the place is kept for"),
        pytest.param({"service": "team-a/chat"}, {"service": "team-a/chat", "newest": False}, id="an older revision"),
    ],
)
def test_an_answer_for_one_demand_is_not_taken_for_that_of_another(
    before: dict[str, Any], after: dict[str, Any]
) -> None:
    kept = with_partition(gpu(0, "SPX/NPS1", product="MI210"), 0, reservation=Reservation("", service="team-a/chat"))
    base = Nodes([node("a", kept if "service" in before | after else gpu(0, "SPX/NPS1", product="MI210"))])
    scheduler = ModelScheduler()
    found = [type(scheduler.schedule(Snapshot(base), demand(**asked))) for asked in (before, after, before)]
    assert found[0] is found[2] is not found[1]


def test_a_place_that_a_service_begins_to_keep_is_seen_at_once() -> None:
    scheduler, free = ModelScheduler(), gpu(0, "SPX/NPS1")
    base = Nodes([node("a", free)])
    assert isinstance(scheduler.schedule(Snapshot(base), demand()), Placed)
    kept = with_partition(free, 0, reservation=Reservation("", service="team-a/chat"))
    assert isinstance(scheduler.schedule(Snapshot(base.changed([node("a", kept)])), demand()), Unplaced)


def test_a_shape_is_what_claims_of_one_service_have_in_common() -> None:
    one = demand("a", created_seconds=1.0, owner="rs-1", template_hash="x")
    assert shape_of(one) == shape_of(demand("b", owner="rs-2"))
    assert shape_of(one) == shape_of(demand("d", rules=rules("web", repels=(term("web"),))))
    assert shape_of(one) == shape_of(demand("c", service="team-a/chat", family="uid", revision=3, newest=False))
    for other in (demand("a", priority=1), demand("a", precision="fp8"), founders([16], None)):
        assert shape_of(one) != shape_of(other)
