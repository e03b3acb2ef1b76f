"""Statuses of policies: one look at all of them, every few seconds at most, written where something differs."""

from datetime import datetime
from typing import Final

from api.condition import find_condition, set_condition
from api.object import dump
from api.v1beta1 import GPUSharingPolicy
from api.v1beta1.gpu_sharing_policy import QuotaUse
from controller.placement.occupant import Occupant
from controller.reconcilers.gpu_sharing_policy.governed import Governed, governed
from controller.reconcilers.gpu_sharing_policy.quota_use import quota_use
from controller.repartition.windows import unknown_zones
from controller.runtime.client.client import Client
from controller.runtime.client.errors import Conflict, NotFound
from controller.runtime.clock import Clock
from controller.runtime.reconcile import Request, Result
from controller.state.cluster import Cluster
from controller.state.kinds import GPU_SHARING_POLICIES
from controller.state.occupants import occupants
from controller.translate.policy import policy_for, windows

ALL: Final = Request("", "all")
"""Every policy: what one governs depends on all others."""

#: Least time between two looks, seconds: claims come by the hundred, and a status is for people.
PERIOD_SECONDS = 5.0
READY: Final = "Ready"
CONFLICT: Final = "Conflict"
#: So many nodes are named in a condition.
_NAMED = 5


class PolicyStatusReconciler:
    """Counts for all policies what they govern, and writes what changed. To be run by one worker."""

    def __init__(self, client: Client, cluster: Cluster, clock: Clock) -> None:
        self._client = client
        self._cluster = cluster
        self._clock = clock
        self._looked_at: float | None = None

    async def reconcile(self, _: Request) -> Result:
        """One look, unless the last was a moment ago."""
        now = self._clock.monotonic()
        if self._looked_at is not None and now - self._looked_at < PERIOD_SECONDS:
            return Result(requeue_after=PERIOD_SECONDS - (now - self._looked_at))
        self._looked_at = now
        policies = list(self._cluster.policy_table.values())
        found = governed(policies, self._nodes(), self._cluster.claim_table.values()) if policies else {}
        occupied = self._occupied(policies) if any(policy.spec.quotas for policy in policies) else ()
        use = {policy.metadata.name: quota_use(policy, occupied) for policy in policies}
        late = [not await self._write(policy, found[name := policy.metadata.name], use[name]) for policy in policies]
        return Result(requeue_after=PERIOD_SECONDS if any(late) else None)

    def _occupied(self, policies: list[GPUSharingPolicy]) -> tuple[Occupant, ...]:
        """Every claim with a place, and the policy that rules its node."""
        ruling = {name: policy_for(labels, policies) for name, labels in self._nodes().items()}
        names = {node: policy.metadata.name for node, policy in ruling.items() if policy is not None}
        cluster = self._cluster
        return tuple(occupants(cluster.claim_table, cluster.pod_table, lambda node: names.get(node, "")))

    def _nodes(self) -> dict[str, dict[str, str]]:
        """Labels of the managed nodes."""
        hosts = self._cluster.host_table
        managed = [name for name, node in self._cluster.gpu_node_table.items() if node.spec.managed]
        return {name: dict(host.labels) for name in managed if (host := hosts.get(name)) is not None}

    async def _write(self, policy: GPUSharingPolicy, found: Governed, use: list[QuotaUse]) -> bool:
        """Write the status if it differs; False when the policy has moved on meanwhile."""
        wanted = with_status(policy, found, use, self._clock.now())
        if wanted == policy:
            return True
        try:
            await self._client.replace(GPU_SHARING_POLICIES, dump(wanted), subresource="status")
        except NotFound:
            return True
        except Conflict:
            return False
        return True


def with_status(policy: GPUSharingPolicy, found: Governed, use: list[QuotaUse], now: datetime) -> GPUSharingPolicy:
    """The policy with what was counted; conditions Ready and, once there was a conflict, Conflict."""
    generation = policy.metadata.generation
    conditions = set_condition(policy.status.conditions, READY, *_ready(policy), generation, now)
    if found.lost or find_condition(conditions, CONFLICT) is not None:
        conditions = set_condition(conditions, CONFLICT, *_conflict(found), generation, now)
    status = policy.status.model_copy(
        update={
            "observed_generation": generation,
            "nodes": found.nodes,
            "claims": found.claims,
            "used_bytes": found.used_bytes,
            "quotas": use,
            "conditions": conditions,
        }
    )
    return policy.model_copy(update={"status": status})


def _ready(policy: GPUSharingPolicy) -> tuple[str, str, str]:
    if policy.spec.paused:
        return "False", "Paused", "binding, eviction and repartitioning stand still: set spec.paused to false"
    unknown = unknown_zones(windows(policy))
    if unknown:
        message = (
            f"no time zone is called {', '.join(unknown)}, so such spec.repartition.windows never open: write a name "
            "of the IANA database, such as Europe/Helsinki, or UTC"
        )
        return "False", "WindowInvalid", message
    return "True", "InForce", "the policy is in force on the nodes that it governs"


def _conflict(found: Governed) -> tuple[str, str, str]:
    if not found.lost:
        return "False", "NoConflict", "no older policy governs a node that this one selects"
    named = sorted(found.lost.items())[:_NAMED]
    more = f" and {len(found.lost) - _NAMED} more" if len(found.lost) > _NAMED else ""
    nodes = ", ".join(f"{node} by {policy}" for node, policy in named)
    message = f"governed by an older policy: {nodes}{more}; let the nodeSelectors select different nodes"
    return "True", "OlderPolicyWins", message
