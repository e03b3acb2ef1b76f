"""A history in which every invariant holds, and what one like it is made of."""

from collections.abc import Iterable
from dataclasses import replace

from e2e.engine.record import Entry
from tests.chaos.facts import Claim, Fact, Gpu, GpuNode, Held, Kind, Lease, Plan, Pod, ReplicaSet, ResourceClaim
from tests.chaos.history import (
    OPERATOR,
    Asked,
    Audited,
    Change,
    HardwareChange,
    History,
    Served,
    Traffic,
)

BDF = "0000:05:00.0"
MODE = "DPX/NPS1"
NODE = GpuNode(((BDF, Gpu(MODE, ((0, "gpu-0"), (1, "gpu-1")))),))
FIRST = Held(("a", BDF, 0), MODE, "gpu-0")
SECOND = Held(("a", BDF, 1), MODE, "gpu-1")
OPTED_IN = Pod("u1", opted_in=True, claim="aim-1", node="a", phase="Running", owner="rs")
ALLOCATED = Claim("c1", "Allocated", (FIRST,), pod="u1", shares=0, whole=8)

Step = tuple[float, Kind, str, Fact | None, str]


def changed(*steps: Step) -> tuple[Change, ...]:
    """The changes of (when, kind, key, what is there afterwards, who wrote it)."""
    state: dict[tuple[Kind, str], Fact | None] = {}
    found = []
    for number, (at, kind, key, after, who) in enumerate(steps, 1):
        found.append(Change(number, kind, key, state.get((kind, key)), after, who, at - 0.01, at))
        state[kind, key] = after
    return tuple(found)


def report(at: float, node: GpuNode = NODE) -> Step:
    return at, Kind.GPU_NODE, "a", node, "agent"


def beat(at: float) -> Step:
    return at, Kind.LEASE, "aim-gpu-system/a", Lease(str(at)), "agent"


def claim(at: float, after: Claim | None, key: str = "team/aim-1") -> Step:
    return at, Kind.CLAIM, key, after, OPERATOR


def pod(at: float, after: Pod | None, key: str = "team/p", who: str = "kubelet") -> Step:
    return at, Kind.POD, key, after, who


def plan(at: float, phase: str, key: str = "p1", node: str = "a", kept: Iterable[str] = ()) -> Step:
    return at, Kind.PLAN, key, Plan(f"uid-{key}", node, phase, tuple(kept), gpus=frozenset({BDF})), OPERATOR


def given(at: float, *devices: str, key: str = "team/aim-1") -> Step:
    return at, Kind.RESOURCE_CLAIM, key, ResourceClaim(f"rc-{key}", tuple(("a", one) for one in devices)), "scheduler"


def write(at: float, verb: str, resource: str, key: str, who: str = OPERATOR) -> Audited:
    return Audited(who, verb, resource, key, 201, at - 0.01, at)


LIFE = (
    report(1.0),
    beat(1.5),
    pod(2.0, OPTED_IN),
    (2.1, Kind.REPLICA_SET, "team/rs", ReplicaSet("rs", 1), "person"),
    claim(3.0, replace(ALLOCATED, phase="Bound")),
    given(4.0, "gpu-0"),
    claim(5.0, ALLOCATED),
)
"""A pod that asks, is bound, and runs."""
CHANGE = (
    plan(6.0, "Pending", kept=()),
    plan(7.0, "Draining", kept=["p"]),
    pod(7.6, replace(OPTED_IN, deleting=True)),
    claim(8.0, None),
    pod(8.1, None),
    (8.2, Kind.RESOURCE_CLAIM, "team/aim-1", None, "gc"),
    pod(8.3, replace(OPTED_IN, uid="u2"), "team/p2"),
    plan(9.0, "Quiescing"),
    plan(10.0, "Applying"),
    plan(12.0, "Verifying"),
    plan(13.0, "Succeeded"),
)
"""The pod is moved, and its GPU's mode is changed."""
EVICTED = (write(7.5, "create", "pods/eviction", "team/p"),)
HARDWARE = (HardwareChange("a", "SetComputeMode", frozenset({BDF}), 11.0, 11.5),)


def good(*more: Step) -> History:
    """A whole good history, and what comes after."""
    return History(changed(*LIFE, *CHANGE, *more), EVICTED, hardware=HARDWARE, traffic=traffic(), ended=100.0)


def traffic(*more: Entry, asked: Iterable[Asked] = ()) -> Traffic:
    entries = (entry(1.0, "begin", "r1"), entry(2.0, "end", "r1"))
    served = {"team/m": Served(1, 1, frozenset({"u1"})), "team/other": Served(0, None, frozenset({"u9"}))}
    calm = Asked("team/m", "standard", "r1", 0.9, 1.2, "200")
    return Traffic((calm, *asked), tuple(sorted((*entries, *more), key=lambda one: one.at)), served)


def entry(at: float, event: str, request: str, engine: str = "u1", seats: int = 2) -> Entry:
    return Entry(at, engine, f"a/{BDF}/0", "m", event, request, 0, seats)  # type: ignore[arg-type]
