"""Pods of ours that may be moved, as the planner asks for them: read only when it does."""

from collections import defaultdict
from collections.abc import Mapping

from api.quantity import parse_quantity
from api.v1beta1 import GPUPartitionClaim
from controller.binding.device_plugin import naming_of_resource
from controller.gpu.identity import PartitionId
from controller.gpu.mode import Mode
from controller.placement.snapshot import Snapshot
from controller.placement.steps import Steps, finished
from controller.repartition.victims import NOBODY, Victim, Victims
from controller.state.occupancy import Holdings
from controller.translate.claim import precision_of
from controller.translate.pod import constraints


class MovablePods:
    """Pods that opted in, run and hold a partition of the snapshot, looked up once at the first question."""

    def __init__(self, cluster: Holdings, snapshot: Snapshot) -> None:
        self._cluster = cluster
        self._snapshot = snapshot
        self._found: Victims | None = None

    def reading(self) -> Steps[None]:
        """Look them up, a pause after each place."""
        if self._found is None:
            found: dict[str, dict[PartitionId, Victim]] = defaultdict(dict)
            for node, _, partition in self._snapshot.partitions():
                yield
                holder = self._snapshot.holder(node, partition)
                if holder is None or holder.kind != "ours":
                    continue
                victim = tenant_of(self._cluster, holder.name, partition.id)
                if victim is not None:
                    found[node.name][partition.id] = victim
            self._found = Victims(found)

    @property
    def lowest_priority(self) -> int | None:
        """The lowest of their priorities; None when there are none."""
        return self._victims.lowest_priority

    def on(self, node: str) -> Mapping[PartitionId, Victim]:
        """Those on a node, by every partition that each one holds."""
        return self._victims.on(node)

    @property
    def _victims(self) -> Victims:
        finished(self.reading())
        return self._found or NOBODY


def victim_of(cluster: Holdings, claim_key: str, partition: PartitionId) -> Victim | None:
    """The pod of the claim `namespace/name`, which holds `partition`; None when it does not run, or is leaving.

    None for a pod of several partitions, too: models are brought together one by one.
    """
    found = tenant_of(cluster, claim_key, partition)
    return found if found is not None and found.count == 1 else None


def tenant_of(cluster: Holdings, claim_key: str, partition: PartitionId) -> Victim | None:
    """The same, also for a pod of several partitions, of which `partition` is one."""
    claim = cluster.claim_table.get(claim_key)
    if claim is None:
        return None
    view = cluster.pod_table.of_claim(claim)
    if view is None or view.claim is None or view.node is None or view.deleting or view.terminal:
        return None
    pod = cluster.pods.store.get(f"{view.namespace}/{view.name}")
    if pod is None:
        return None
    return Victim(
        namespace=view.namespace,
        pod=view.name,
        uid=view.uid,
        claim=view.claim,
        owner=view.owner[2] if view.owner is not None else "",
        template_hash=view.template_hash,
        priority=view.priority,
        partition=partition,
        requirement_bytes=_bytes(claim),
        constraints=constraints(pod.spec),
        ready=view.ready,
        created_seconds=view.created_seconds,
        modes=frozenset(map(Mode.parse, claim.spec.requirement.modes)),
        policy=claim.spec.policy_ref,
        resource=view.resource,
        naming=naming_of_resource(view.resource) or "",
        precision=precision_of(claim),
        count=claim.spec.requirement.count,
    )


def _bytes(claim: GPUPartitionClaim) -> int:
    """What the pod needs; one of unknown size needs no less than it has."""
    wanted = claim.spec.requirement.memory
    if wanted is not None:
        return parse_quantity(wanted)
    allocation = claim.status.allocation
    return max((device.bytes for device in allocation.devices), default=0) if allocation is not None else 0
