"""The informers behind `usage`: claims of all namespaces, cut down to what tells who holds this node's devices.

What the API server can tell apart it does not send: each claim changes several times in a moment, and a hundred agents
that hear of all of them cost it, and themselves, more than all else that happens then. Our claims are selected by the
node, of ResourceClaims those that the operator has pinned elsewhere are left out. Others' may be on any node.
"""

from collections.abc import Callable, Iterator
from itertools import chain
from random import Random

from api.group import PINNED_NODE, SERVICE_LABEL
from controller.agent.usage import Holders, Waiting, allocated_devices, awaits_device, holders, waiting
from controller.runtime.cache.informer import Informer
from controller.runtime.cache.store import StoreEvent
from controller.runtime.client.client import Client
from controller.runtime.client.core import RESOURCE_CLAIMS
from controller.runtime.clock import Clock
from controller.runtime.manifest import Manifest
from controller.state.kinds import GPU_PARTITION_CLAIMS
from controller.state.selected import SelectedInformer
from controller.state.served import ServedInformer
from controller.translate.resource_claim import pinned_to

_POOL = "pool"
_NODE = "node"
_METADATA = ("name", "namespace", "uid", "resourceVersion")


class Occupancy:
    """Who holds what on one node, as far as the informers know."""

    def __init__(self, client: Client, node: str, clock: Clock, rng: Random) -> None:
        self._node = node
        # one that names no node as pinned: somebody else's, or ours where the node's name is too long for a label
        self._resource_claims = _resource_claims(client, f"!{PINNED_NODE}", clock, rng)
        self._pinned_claims = [
            _resource_claims(client, f"{label}={value}", clock, rng) for label, value in pinned_to(node).items()
        ]
        self._partition_claims = SelectedInformer(
            client,
            GPU_PARTITION_CLAIMS,
            field_selector=f"status.allocation.node={node}",
            project=_slim_partition_claim,
            indexes={_NODE: _nodes},
            clock=clock,
            rng=rng,
        )

    @property
    def informers(self) -> tuple[Informer, ...]:
        """What must run, and be synced, before the answers mean anything."""
        return *self._of_resource_claims, self._partition_claims

    @property
    def _of_resource_claims(self) -> tuple[ServedInformer, ...]:
        return self._resource_claims, *self._pinned_claims

    @property
    def resource_claims_served(self) -> bool:
        """Whether the API server has ResourceClaims, and with them ResourceSlices."""
        return self._resource_claims.served is not False

    def holders(self) -> Holders:
        """The holders of this node's devices now."""
        return holders(
            self._node,
            chain.from_iterable(each.store.by_index(_POOL, self._node) for each in self._of_resource_claims),
            self._partition_claims.store.by_index(_NODE, self._node),
        )

    def awaits_kubelet(self) -> bool:
        """Whether a claim on this node waits until it is known which device the kubelet gave to its pod."""
        return any(map(awaits_device, self._partition_claims.store.by_index(_NODE, self._node)))

    def waiting(self) -> Waiting:
        """The claims on this node that wait for that."""
        return waiting(self._node, self._partition_claims.store.by_index(_NODE, self._node))

    def on_change(self, changed: Callable[[], None]) -> None:
        """Call `changed` whenever a claim on this node appears, changes or goes."""

        def watch(informer: Informer, places: Callable[[Manifest], Iterator[str]]) -> None:
            def handle(event: StoreEvent) -> None:
                if any(obj is not None and self._node in places(obj) for obj in (event.old, event.new)):
                    changed()

            informer.add_handler(handle)

        for each in self._of_resource_claims:
            watch(each, _pools)
        watch(self._partition_claims, _nodes)


def _resource_claims(client: Client, labels: str, clock: Clock, rng: Random) -> ServedInformer:
    return ServedInformer(
        client,
        RESOURCE_CLAIMS,
        label_selector=labels,
        project=_slim_resource_claim,
        indexes={_POOL: _pools},
        clock=clock,
        rng=rng,
    )


def _slim_resource_claim(claim: Manifest) -> Manifest:
    allocation = (claim.get("status") or {}).get("allocation")
    return {"metadata": _metadata(claim), "status": {"allocation": allocation} if allocation else {}}


def _slim_partition_claim(claim: Manifest) -> Manifest:
    spec, status = claim["spec"], claim.get("status") or {}
    kept = {key: status[key] for key in ("phase", "allocation") if key in status}
    metadata = _metadata(claim)
    if service := (claim["metadata"].get("labels") or {}).get(SERVICE_LABEL):
        metadata["labels"] = {SERVICE_LABEL: service}
    return {
        "metadata": metadata,
        "spec": {"requirement": spec["requirement"], "model": spec.get("model"), "podRef": spec.get("podRef")},
        "status": kept,
    }


def _metadata(obj: Manifest) -> Manifest:
    return {key: obj["metadata"][key] for key in _METADATA if key in obj["metadata"]}


def _pools(claim: Manifest) -> Iterator[str]:
    return (result["pool"] for result in allocated_devices(claim))


def _nodes(claim: Manifest) -> Iterator[str]:
    node = ((claim.get("status") or {}).get("allocation") or {}).get("node")
    return iter([node] if node else [])
