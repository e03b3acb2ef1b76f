"""Small clusters, demands and ways to ask for less, drawn at random, where most demands have no place."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from hypothesis import strategies as st

from controller.gpu.mode import Mode
from controller.placement.changes.change import Kind
from controller.placement.changes.look import Circumstances
from controller.placement.changes.smaller import Smaller
from controller.placement.demand import Demand, Resources, Toleration
from controller.placement.quota import Quota
from controller.placement.snapshot import Gpu, Holder, Node, Partition, PolicyView, Taint
from tests.builders.demand import constrained, demand
from tests.builders.gpu import FOREIGN, GIB, gpu
from tests.builders.node import node

MODES = ("SPX/NPS1", "DPX/NPS1", "CPX/NPS1", "CPX/NPS4", "QPX/NPS4")
TAINTS = (Taint("team", "a", "NoSchedule"), Taint("node.kubernetes.io/disk-pressure", "", "NoSchedule"))
SMALL = Resources(cpu_milli=4000, pods=6)


@dataclass(frozen=True, slots=True)
class Case:
    """A cluster, a demand of team-a, and the priorities of the pods that hold something, some of team-a's own."""

    nodes: tuple[Node, ...]
    demand: Demand
    priorities: Mapping[str, int]

    @property
    def around(self) -> Circumstances:
        """What bears on changes there."""
        return Circumstances(evictable=self.priorities.get, smaller=smaller_ways)


def smaller_ways(asked: Demand) -> Sequence[Smaller]:
    """A half and a quarter of the concurrency, a precision of half the size, and other numbers of partitions."""
    need = asked.requirement
    counts = [
        Smaller(
            Kind.COUNT,
            "count",
            str(count),
            1000 * (count - need.count) if count > need.count else need.count - count,
            replace(need, count=count, bytes=need.bytes * need.count // count),
        )
        for count in (1, 2, 4, 8)
        if count != need.count
    ]
    return counts + [
        Smaller(kind, field, str(value), lost, replace(need, bytes=int(need.bytes * share)))
        for kind, field, value, lost, share in (
            (Kind.CONCURRENCY, "maxConcurrency", 4, 500, 0.8),
            (Kind.CONCURRENCY, "maxConcurrency", 2, 750, 0.6),
            (Kind.PRECISION, "precision", "fp8", 500, 0.5),
        )
    ]


#: One in so many things is out of order.
SELDOM = 12


def seldom(draw: st.DrawFn) -> bool:
    return draw(st.integers(1, SELDOM)) == SELDOM


@st.composite
def gpus(draw: st.DrawFn, at: int, number: int, memory: str) -> Gpu:
    mode = draw(st.sampled_from([mode for mode in MODES if mode.endswith(memory)]))
    who = draw(st.sampled_from(["nobody", "ours", "ours", "all ours", "all ours", "foreign"]))
    holders: dict[int, Holder] = {}
    for index in range(8):
        taken = Resources(cpu_milli=draw(st.sampled_from([0, 1000])), pods=1)
        if who == "all ours" or (who != "nobody" and draw(st.booleans())):
            name = f"{draw(st.sampled_from(['team-a', 'team-b']))}/aim-{at}-{number}-{index}"
            holders[index] = FOREIGN if who == "foreign" else Holder("ours", name, taken)
    whole = gpu(number, mode, holders=holders)
    if seldom(draw):
        return replace(whole, plan="some-plan")
    if seldom(draw):
        sick = draw(st.booleans())
        out = tuple(replace(one, healthy=not sick, quarantined=not sick) for one in whole.partitions)
        return replace(whole, partitions=out)
    return whole


@st.composite
def policies(draw: st.DrawFn) -> PolicyView | None:
    if seldom(draw):
        return None
    modes = draw(st.sampled_from([(), (), ("CPX/NPS4",), ("SPX/NPS1", "DPX/NPS1")]))
    return PolicyView(
        name="rules",
        modes=frozenset(map(Mode.parse, modes)),
        validated_only=draw(st.booleans()),
        namespaces=frozenset({"team-b"}) if seldom(draw) else None,
        repartition=draw(st.sampled_from([True, True, True, False])),
        approval=draw(st.sampled_from(["Auto", "Manual"])),
        cooldown_left=draw(st.sampled_from([0.0, 0.0, 60.0])),
        paused=seldom(draw),
    )


@st.composite
def hosts(draw: st.DrawFn, at: int) -> Node:
    memory = draw(st.sampled_from(["NPS1", "NPS4"]))
    cards = [draw(gpus(at, number, memory)) for number in range(draw(st.integers(1, 2)))]
    taken = [part for card in cards for part in card.partitions if part.holder and part.holder.kind == "ours"]
    held = {part.holder for part in taken if part.holder}
    used = Resources(cpu_milli=draw(st.sampled_from([0, 2000])))
    for holder in held:
        used = used.plus(holder.resources)
    taints = draw(st.sampled_from([TAINTS[:1], TAINTS[1:], TAINTS])) if seldom(draw) else ()
    return node(
        f"worker-{at}",
        *cards,
        allocatable=draw(st.sampled_from([SMALL, Resources(64_000, 1 << 40, 110)])),
        used=used,
        taints=taints,
        policy=draw(policies()),
        labels=draw(st.sampled_from([{}, {"zone": "b"}])),
        claimed=claimed_by(taken),
        unschedulable=seldom(draw),
        paused=seldom(draw),
        fresh=not seldom(draw),
        ready=not seldom(draw),
    )


def claimed_by(held: Iterable[Partition]) -> Mapping[str, int]:
    """By namespace, the bytes of partitions that are held."""
    found: dict[str, int] = {}
    for part in held:
        if part.holder is not None:
            found[part.holder.namespace] = found.get(part.holder.namespace, 0) + part.bytes
    return found


def limited(host: Node, most: int | None) -> Node:
    """The node under a policy that gives team-a so many bytes at most."""
    if host.policy is None or most is None:
        return host
    return replace(host, policy=replace(host.policy, quotas={"team-a": Quota(most=most)}))


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """A case of one to three nodes, of one policy if any."""
    most = draw(st.sampled_from([None, None, 0, 24, 100, 250]))
    limit = None if most is None else most * GIB
    nodes = tuple(limited(draw(hosts(at)), limit) for at in range(draw(st.integers(1, 3))))
    names = sorted(
        {p.holder.name for n in nodes for g in n.gpus for p in g.partitions if p.holder and p.holder.kind == "ours"}
    )
    priorities = {name: draw(st.sampled_from([0, 5, 10])) for name in names}
    asked = demand(
        "aim-waits",
        draw(st.sampled_from([10, 20, 40, 90, 150])),
        modes=draw(st.sampled_from([(), (), (), ("CPX/NPS4",), ("SPX/NPS1",)])),
        count=draw(st.sampled_from([1, 1, 1, 2])),
        priority=draw(st.sampled_from([0, 5, 20, 20])),
        pod=constrained(
            Resources(cpu_milli=draw(st.sampled_from([0, 1000, 3000])), pods=1),
            node_selector=(("zone", "a"),) if seldom(draw) else (),
            tolerations=draw(st.sampled_from([(), (Toleration("team", "Exists"),)])),
        ),
    )
    return Case(nodes, asked, priorities)
