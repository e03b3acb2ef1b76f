"""The reconciler of broken partitions: look at one node, tell, put into quarantine, keep places, evict.

What it does is in the API before it acts: the condition stands for a while before anybody is moved, the quarantine and
the successor's place before the eviction. One write to a GPUNode a look: the next one decides on what that made.
"""

from collections.abc import Iterable
from datetime import datetime

from api.v1beta1 import GPUNode
from api.v1beta1.quarantine import Quarantine
from api.v1beta1.repartition_plan import Reservation
from controller.placement.snapshot import Snapshot
from controller.reconcilers.repartition_plan.reservations import evicted, holds, reservation, still_there
from controller.reconcilers.repartition_plan.successors import all_places, still_needed
from controller.reconcilers.scheduler_counts import Eviction, SchedulerCounts
from controller.reconcilers.unhealthy.kept import overdue
from controller.reconcilers.unhealthy.looking import case_of, node_seen, rules_of, verdicts
from controller.reconcilers.unhealthy.moving import Case, Evict, Keep, Rules, Stay, Step, broken_for_good, decide
from controller.reconcilers.unhealthy.node_writing import MOST_ENTRIES, NodeWriter, new_entries
from controller.reconcilers.unhealthy.telling import Telling
from controller.reconcilers.unhealthy.verdict import MOVABLE, QUARANTINED, NodeSeen, Reason, judge, silent
from controller.runtime.client.client import Client
from controller.runtime.client.errors import Conflict, NotFound, TooManyRequests
from controller.runtime.clock import Clock
from controller.runtime.event_recorder import EventRecorder
from controller.runtime.manifest import Manifest
from controller.runtime.reconcile import Request, Result
from controller.state.cluster import Cluster

#: A node is looked at again after this, seconds: no event tells that an agent went silent.
IDLE_SECONDS = 20.0
#: While a partition there is broken or a place kept, seconds.
TROUBLED_SECONDS = 5.0
SOON_SECONDS = 0.2


class UnhealthyReconciler:
    """Looks at the claims of one node; a request names the node. To be run by one worker: budgets are counted."""

    def __init__(
        self,
        client: Client,
        cluster: Cluster,
        recorder: EventRecorder,
        clock: Clock,
        counts: SchedulerCounts | None = None,
    ) -> None:
        self._client = client
        self._cluster = cluster
        self._clock = clock
        self._counts = counts or SchedulerCounts()
        self._telling = Telling(client, recorder)
        self._writer = NodeWriter(client)
        self._silent: dict[str, Reason] = {}
        self._refused: dict[str, str] = {}

    async def reconcile(self, request: Request) -> Result:
        """One look. What moved on under it is looked at again soon."""
        try:
            return await self._look(request.name)
        except Conflict:
            return Result(requeue_after=SOON_SECONDS)

    async def _look(self, name: str) -> Result:
        node = node_seen(self._cluster, name)
        if node is None:
            return Result(requeue_after=TROUBLED_SECONDS)
        self._tell_silence(node)
        found = list(verdicts(self._cluster, node))
        if not found and not _open_business(node, self._clock.now()):
            return Result(requeue_after=IDLE_SECONDS if node.gpu_node is not None else None)
        snapshot = self._cluster.snapshot()
        cases = [case_of(self._cluster, snapshot, claim, verdict) for claim, verdict in found]
        rules = rules_of(self._cluster, snapshot, name)
        steps = decide(cases, rules, snapshot, name, self._clock.now())
        await self._tell(cases, steps)
        entries = self._to_quarantine(node, cases, rules)
        wrote = node.gpu_node is not None and await self._write(node.gpu_node, entries, cases, steps, snapshot)
        return Result(requeue_after=SOON_SECONDS if wrote else TROUBLED_SECONDS)

    def _tell_silence(self, node: NodeSeen) -> None:
        """An Event on the GPUNode when nothing is known of it any more; its status is the agent's to write."""
        verdict = silent(node)
        if verdict is None or node.gpu_node is None:
            self._silent.pop(node.name, None)
        elif self._silent.get(node.name) is not verdict.reason:
            self._silent[node.name] = verdict.reason
            self._telling.silent(_reference(node.gpu_node), verdict)

    async def _tell(self, cases: Iterable[Case], steps: dict[str, Step]) -> None:
        """The conditions. A claim that somebody else writes at this moment is told at the next look."""
        late: Conflict | None = None
        for case in cases:
            try:
                await self._telling.tell(case.claim, case.verdict, self._note(case, steps), self._clock.now())
            except Conflict as conflict:
                late = conflict
        if late is not None:
            raise late

    def _note(self, case: Case, steps: dict[str, Step]) -> str:
        step = steps[case.key]
        if isinstance(step, Stay):
            self._refused.pop(case.key, None)
            return step.note
        refused = self._refused.get(case.key)
        moves = "a place is kept for its successor, and it is evicted"
        return moves if refused is None else f"a place is kept for its successor; {refused}"

    async def _write(
        self, node: GPUNode, entries: list[Quarantine], cases: list[Case], steps: dict[str, Step], snapshot: Snapshot
    ) -> bool:
        """The first write to a GPUNode that is due, or the evictions; whether there was any."""
        if entries:
            await self._writer.quarantine(node, entries)
            for bdf in dict.fromkeys(entry.bdf for entry in entries):
                numbers = ",".join(str(entry.partition) for entry in entries if entry.bdf == bdf)
                self._telling.quarantined(_reference(node), f"{node.metadata.name} {bdf}/{numbers}")
            return True
        kept = self._tidied(node, snapshot)
        if kept != node.spec.reservations:
            await self._writer.keep(node, kept)
            return True
        keep = next((step for step in steps.values() if isinstance(step, Keep)), None)
        if keep is not None:
            return await self._keep(keep)
        leaving = [(case, step) for case in cases if isinstance(step := steps[case.key], Evict)]
        return any([await self._evict(case, step) for case, step in leaving])

    def _to_quarantine(self, node: NodeSeen, cases: Iterable[Case], rules: Rules) -> list[Quarantine]:
        if rules.forbidden or node.gpu_node is None:
            return []
        now = self._clock.now()
        sick = [case.claim for case in cases if case.verdict.reason in QUARANTINED and broken_for_good(case, now)]
        return new_entries(node.gpu_node, sick, now, trusted=silent(node) is None)

    async def _keep(self, step: Keep) -> bool:
        """Write the place before anybody is evicted for it; the next look finds it good, or not."""
        places = [reservation(move) for move in step.moves]
        target = self._cluster.gpu_node_table.get(places[0].node)
        if target is None or len(target.spec.reservations) + len(places) > MOST_ENTRIES:
            return False
        await self._writer.keep(target, [*target.spec.reservations, *places])
        return True

    async def _evict(self, case: Case, step: Evict) -> bool:
        """Ask for the eviction of that very pod, or of each of a share group; whether one goes.

        A disruption budget may refuse: it is asked again.
        """
        victim, kept = step.victim, step.kept
        pods = [(each.name, each.uid) for each in case.members] or [(victim.pod, victim.uid)]
        going = [await self._asked_to_go(case, victim.namespace, name, uid) for name, uid in pods]
        if any(going) and (kept.evicted_time is None):
            more = f" and {victim.count - 1} more" if victim.count > 1 else ""
            self._telling.moved(case.claim, f"{kept.node} {kept.bdf}/{kept.partition}{more}")
        return any(going)

    async def _asked_to_go(self, case: Case, namespace: str, name: str, uid: str) -> bool:
        try:
            await self._client.evict(name, namespace, uid)
        except TooManyRequests as error:
            self._refused[case.key] = f"the eviction of {name} is refused for now: {error.message}"
            return False
        except (NotFound, Conflict):
            return True  # it is gone, or another pod by that name came: the next look sees it
        self._counts.evicted(Eviction.UNHEALTHY, uid)
        return True

    def _tidied(self, node: GPUNode, snapshot: Snapshot) -> list[Reservation]:
        """The places kept on this node, without those that are not needed any more."""
        now = self._clock.now()
        everything = all_places(self._cluster, self._cluster.plan_table.values())
        needed = still_needed(self._cluster, everything, node.spec.reservations)
        # of a pod of several partitions all places are good, or none is of any use
        lost = {(kept.namespace, kept.claim) for kept in node.spec.reservations if not holds(snapshot, kept)}
        left = []
        for kept in node.spec.reservations:
            if kept.evicted_time is not None:
                left += [kept] if kept in needed and not overdue(kept, now) else []
            elif still_there(self._cluster, kept) is None:
                left.append(evicted(kept, now))
            elif (kept.namespace, kept.claim) not in lost and self._still_leaves(kept):
                left.append(kept)
        return left

    def _still_leaves(self, kept: Reservation) -> bool:
        """Whether the claim that the place was found for still stands on a broken partition."""
        claim = self._cluster.claim_table.get(f"{kept.namespace}/{kept.claim}")
        allocation = claim.status.allocation if claim is not None else None
        if claim is None or allocation is None:
            return False
        node = node_seen(self._cluster, allocation.node)
        if node is None:
            return True  # we started lately, and its agent was not heard of yet
        verdict = judge(node, claim)
        return verdict is not None and verdict.reason in MOVABLE


def _open_business(node: NodeSeen, now: datetime) -> bool:
    """Whether there may be something to write on a node whose claims are all well."""
    if node.gpu_node is None:
        return False
    return bool(node.gpu_node.spec.reservations or new_entries(node.gpu_node, (), now))


def _reference(node: GPUNode) -> Manifest:
    metadata = {"name": node.metadata.name, "uid": node.metadata.uid}
    return {"apiVersion": node.api_version, "kind": node.kind, "metadata": metadata}
