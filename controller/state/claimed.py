"""GPU memory that claims have, by node and namespace: what quotas count. Kept up to date claim by claim."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from api.v1beta1 import GPUPartitionClaim
from controller.placement.snapshot import Gpu
from controller.runtime.cache.store import StoreEvent
from controller.runtime.manifest import Manifest
from controller.state.assumptions import Assumption
from controller.state.occupancy import HOLDING


@dataclass(frozen=True, slots=True)
class _Entry:
    node: str
    namespace: str
    bytes: int


def claimed_bytes(claim: GPUPartitionClaim) -> int:
    """Memory of the claim's partitions; while the kubelet has not told which, as many of the smallest as it gets."""
    allocation = claim.status.allocation
    if allocation is None or claim.status.phase not in HOLDING:
        return 0
    if allocation.devices or allocation.resource is None:
        return sum(device.bytes for device in allocation.devices)
    return allocation.resource.bytes * claim.spec.requirement.count


class ClaimedBytes:
    """Follows the informer of claims."""

    def __init__(self) -> None:
        self._entries: dict[str, _Entry] = {}
        self._by_node: dict[str, dict[str, int]] = {}

    def take(self, event: StoreEvent[Manifest]) -> None:
        """Apply one informer event."""
        before = self._entries.pop(event.key, None)
        if before is not None:
            self._count(before, -before.bytes)
        after = _entry(event)
        if after is not None:
            self._entries[event.key] = after
            self._count(after, after.bytes)

    def counts(self, key: str) -> bool:
        """Whether the claim of that key is counted: it has a place."""
        return key in self._entries

    def on(self, node: str) -> Mapping[str, int]:
        """Bytes on a node by namespace; namespaces without any are not named."""
        return dict(self._by_node.get(node, {}))

    def _count(self, entry: _Entry, size: int) -> None:
        there = self._by_node.setdefault(entry.node, {})
        there[entry.namespace] = there.get(entry.namespace, 0) + size
        if there[entry.namespace] == 0:
            del there[entry.namespace]
        if not there:
            del self._by_node[entry.node]


def _entry(event: StoreEvent[Manifest]) -> _Entry | None:
    """Read from the manifest itself: this runs for every change of any claim."""
    status = (event.new or {}).get("status") or {}
    allocation = status.get("allocation")
    if not allocation or status.get("phase") not in HOLDING:
        return None
    devices, resource = allocation.get("devices") or (), allocation.get("resource")
    size = sum(device["bytes"] for device in devices)
    if resource and not devices:
        size = resource["bytes"] * event.object["spec"]["requirement"].get("count", 1)
    return _Entry(allocation["node"], event.object["metadata"]["namespace"], size)


def with_assumed(
    claimed: ClaimedBytes, node: str, gpus: Iterable[Gpu], assumed: Iterable[Assumption]
) -> Mapping[str, int]:
    """Bytes on a node by namespace, with what was decided and is not yet seen."""
    total = dict(claimed.on(node))
    unseen = [each for each in assumed if not claimed.counts(each.claim)]
    sizes = {one.id: one.bytes for gpu in gpus for one in gpu.partitions} if unseen else {}
    for each in unseen:
        namespace = each.claim.partition("/")[0]
        total[namespace] = total.get(namespace, 0) + sum(sizes.get(number, 0) for number in each.partitions)
    return total
