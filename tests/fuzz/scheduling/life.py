"""One life of the operator: the real state, cycle and reconcilers, wired as in the process; time, order and faults are
the search's.

A controller here is a table of what is due and what is under way: a key is reconciled once at a time, what fails comes
back later, and each reconcile stands still at every request until it is let through.
"""

from collections import defaultdict, deque
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass
from random import Random
from types import SimpleNamespace
from typing import Any, Final, TypeAlias, cast

from controller.binding.isolation import ResourceIsolator
from controller.placement.scheduler import ModelScheduler
from controller.reconcilers.gpu_partition_claim import room, triggers
from controller.reconcilers.gpu_partition_claim.context import ClaimContext
from controller.reconcilers.gpu_partition_claim.controller import ClaimReconciler
from controller.reconcilers.gpu_partition_claim.cycle import PlacementCycle
from controller.reconcilers.gpu_partition_claim.explaining import Explaining
from controller.reconcilers.gpu_partition_claim.wakeups import Change as Helps
from controller.reconcilers.repartition_plan.controller import RepartitionPlanReconciler
from controller.reconcilers.repartition_plan.triggers import plan_of_claim, plans_of_node
from controller.reconcilers.scheduler_counts import SchedulerCounts
from controller.runtime.cache.informer import Informer
from controller.runtime.cache.messages import Applied, Removed, Replaced
from controller.runtime.cache.store import EventType, StoreEvent
from controller.runtime.client.client import Client
from controller.runtime.client.core import (
    LEASES,
    NAMESPACES,
    NODES,
    PODS,
    REPLICA_SETS,
    RESOURCE_CLAIMS,
    RESOURCE_SLICES,
)
from controller.runtime.client.errors import ApiError
from controller.runtime.event_recorder import EventRecorder
from controller.runtime.reconcile import Request, Result
from controller.sizing.catalog import Catalog
from controller.state.kinds import (
    GPU_NODES,
    GPU_PARTITION_CLAIMS,
    GPU_SHARING_POLICIES,
    INFERENCE_SERVICES,
    REPARTITION_PLANS,
)
from controller.state.models import Models
from tests.builders.cluster import FedCluster, Object, decoded
from tests.fakes.clock import FakeClock
from tests.fuzz.scheduling.wire import Change, Crossing, Fate, Wire

SIZING: Final = Models(Catalog.bundled())
FOLLOWED: Final = (
    NAMESPACES,
    NODES,
    LEASES,
    GPU_NODES,
    GPU_SHARING_POLICIES,
    REPARTITION_PLANS,
    GPU_PARTITION_CLAIMS,
    RESOURCE_CLAIMS,
    RESOURCE_SLICES,
    INFERENCE_SERVICES,
    REPLICA_SETS,
    PODS,
)
"""What is watched, in the order in which it is listed first."""
PLURALS: Final = tuple(resource.plural for resource in FOLLOWED)
AGAIN_SECONDS: Final = 1.0
"""After this what failed comes back."""
REFRESH_SECONDS: Final = 10.0
"""So often the cycle looks at what waits though nothing changed."""

Item: TypeAlias = tuple[str, str]
"""A controller's name and a key."""


@dataclass(frozen=True, slots=True)
class _Underway:
    coroutine: Coroutine[Crossing, None, Result]
    at: Crossing


class Life:
    """Begins with a list of everything. `seen`: by resource and key what the watches have shown, as it was stored."""

    def __init__(self, wire: Wire, clock: FakeClock) -> None:
        self.wire, self.clock = wire, clock
        self.fed = FedCluster(clock)
        self.cluster = self.fed.cluster
        self.seen: dict[str, dict[str, Object]] = {plural: {} for plural in PLURALS}
        self.on_seen: Callable[[str, str, Object | None], None] = lambda *_: None
        self.due: dict[Item, float] = {}
        self.underway: dict[Item, _Underway] = {}
        self.told: list[tuple[str, str]] = []
        self._queues: dict[str, deque[Change]] = defaultdict(deque)
        self._refresh_at = clock.monotonic() + REFRESH_SECONDS
        self.cycle = PlacementCycle(self.cluster, ModelScheduler.by_policy(), clock, self._woken)
        self._reconcilers = self._build()
        self._wire_up()
        wire.on_change.append(self._stored)
        for plural in PLURALS:
            self.relist(plural)

    def _build(self) -> dict[str, Callable[[Request], Coroutine[Any, Any, Result]]]:
        recorder = cast("EventRecorder", SimpleNamespace(record=self._record))
        counts = SchedulerCounts()
        client = cast("Client", self.wire)
        context = ClaimContext(
            client=client,
            cluster=self.cluster,
            cycle=self.cycle,
            sizing=SIZING,
            isolator=ResourceIsolator(),
            recorder=recorder,
            clock=self.clock,
            counts=counts,
        )
        claims = ClaimReconciler(context, Random(1))
        # Explanations are searched for at some cost, decide nothing, and have properties of their own.
        claims._placing._explaining = cast("Explaining", SimpleNamespace(text=_no_text))
        plans = RepartitionPlanReconciler(client, self.cluster, recorder, self.clock, counts)
        return {"claim": claims.reconcile, "plan": plans.reconcile}

    def _record(self, _: object, type_: str, reason: str, *__: object) -> None:
        self.told.append((type_, reason))

    def _wire_up(self) -> None:
        """As the operator's process does."""
        cluster, claims = self.cluster, self._to("claim")
        claims(cluster.pods, triggers.claim_of_pod)
        claims(cluster.claims, itself)
        claims(cluster.resource_claims, triggers.claim_of_resource_claim)
        claims(cluster.gpu_nodes, triggers.claims_told_of(cluster.pod_table))
        room.told_of_room(cluster, self.cycle.changed)
        plans = self._to("plan")
        plans(cluster.plans, itself)
        plans(cluster.gpu_nodes, plans_of_node(cluster))
        plans(cluster.claims, plan_of_claim(cluster))

    def _to(self, controller: str) -> Callable[[Informer[Any], Callable[[Any], Iterable[Any]]], None]:
        def watches(informer: Informer[Any], mapping: Callable[[Any], Iterable[Any]]) -> None:
            def take(event: StoreEvent[Any]) -> None:
                if event.unchanged:
                    return
                for found in mapping(event):
                    request = found[0] if isinstance(found, tuple) else found
                    self.enqueue((controller, request.key))

            informer.add_handler(take)

        return watches

    def _woken(self, key: str) -> None:
        self.enqueue(("claim", key))

    def enqueue(self, item: Item, seconds: float = 0.0) -> None:
        """Due in so many seconds, or earlier when it was."""
        at = self.clock.monotonic() + seconds
        self.due[item] = min(at, self.due.get(item, at))

    # Watches.

    def _stored(self, change: Change) -> None:
        if change.plural in self.seen:
            self._queues[change.plural].append(change)

    def end(self) -> None:
        """Nothing is heard or done any more."""
        self.wire.on_change.remove(self._stored)
        for one in self.underway.values():
            one.coroutine.close()
        self.underway.clear()

    @property
    def behind(self) -> list[str]:
        """The watches that have something to show."""
        return [plural for plural in PLURALS if self._queues[plural]]

    def watch(self, plural: str, count: int = 10_000) -> int:
        """The next events of a watch arrive, in order; how many did."""
        queue, informer = self._queues[plural], self._informer(plural)
        done = 0
        while queue and done < count:
            change = queue.popleft()
            self._see(plural, change.key, change.after)
            shown = decoded(informer.resource, change.after or change.before or {})
            informer._take(Removed(shown) if change.after is None else Applied(shown))
            done += 1
        return done

    def relist(self, plural: str) -> None:
        """A watch broke: what it had to show is lost, and everything is listed."""
        self._queues[plural].clear()
        informer = self._informer(plural)
        listed = {_key(obj): obj for obj in self.wire.of(informer.resource)}
        for key in (*self.seen[plural].keys() - listed.keys(), *listed):
            self._see(plural, key, listed.get(key))
        informer._take(Replaced([decoded(informer.resource, obj) for obj in listed.values()]))

    def repeat(self, plural: str) -> int:
        """A watch shows again what it has shown, and a resync tells of it again; how many objects."""
        informer = self._informer(plural)
        for obj in self.seen[plural].values():
            informer._take(Applied(decoded(informer.resource, obj)))
        held = informer.store.snapshot().items()
        informer._tell(StoreEvent(EventType.MODIFIED, key, obj, obj, unchanged=True) for key, obj in held)
        return len(held)

    def _see(self, plural: str, key: str, obj: Object | None) -> None:
        if obj is None:
            self.seen[plural].pop(key, None)
        else:
            self.seen[plural][key] = obj
        self.on_seen(plural, key, obj)

    def _informer(self, plural: str) -> Informer[Any]:
        return next(each for each in self.cluster.informers if each.resource.plural == plural)

    # The cycle.

    def decide(self) -> bool:
        """One cycle, as the cycle's own loop has it; whether there was anything to do."""
        cycle, now = self.cycle, self.clock.monotonic()
        if cycle.waiting and now >= self._refresh_at:
            cycle._changes.add(Helps.TIME)
            cycle._wake.set()
        if not cycle._wake.is_set():
            return False
        self._refresh_at = now + REFRESH_SECONDS
        cycle._wake.clear()
        changes, cycle._changes = frozenset(cycle._changes), set()
        cycle.decide(retry=bool(changes), changes=changes)
        return True

    # Reconciles.

    @property
    def ready(self) -> list[Item]:
        """What is due and not under way, the longest first."""
        now = self.clock.monotonic()
        busy = {"plan"} if any(name == "plan" for name, _ in self.underway) else set()  # plans have one worker
        waiting = ((at, item) for item, at in self.due.items() if item not in self.underway and item[0] not in busy)
        return [item for at, item in sorted(waiting) if at <= now]

    def begin(self, item: Item) -> bool:
        """Reconcile up to the first request; whether there is one."""
        del self.due[item]
        self._on(item, self._reconcilers[item[0]](Request.of(item[1])))
        return item in self.underway

    def let(self, item: Item, fate: Fate = Fate.DONE) -> bool:
        """Let the request of a reconcile through, and go on up to the next; whether there is one."""
        one = self.underway.pop(item)
        one.at.cross(fate)
        self._on(item, one.coroutine)
        return item in self.underway

    def finish(self, item: Item) -> None:
        """Let a reconcile go on to its end."""
        while item in self.underway:
            self.let(item)

    def _on(self, item: Item, coroutine: Coroutine[Crossing, None, Result]) -> None:
        try:
            at = coroutine.send(None)
        except StopIteration as done:
            if done.value.requeue_after is not None:
                self.enqueue(item, done.value.requeue_after)
        except ApiError:
            self.enqueue(item, AGAIN_SECONDS)
        else:
            self.underway[item] = _Underway(coroutine, at)

    @property
    def failures(self) -> int:
        """Events that a handler failed at: each is a bug."""
        return sum(informer._handler_failures for informer in self.cluster.informers)


async def _no_text(*_: object) -> None:
    """No explanation."""


def itself(event: StoreEvent[Any]) -> tuple[Request]:
    """The request for the event's own object."""
    return (Request.of(event.key),)


def _key(obj: Object) -> str:
    metadata = obj["metadata"]
    return f"{metadata['namespace']}/{metadata['name']}" if metadata.get("namespace") else str(metadata["name"])
