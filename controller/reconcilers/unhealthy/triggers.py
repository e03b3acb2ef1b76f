"""Which events make a node worth a look. Heartbeats and holders do not; an agent that goes silent sends no event."""

from collections.abc import Iterable

from controller.reconcilers.unhealthy.verdict import CONDITION
from controller.runtime.cache.store import StoreEvent
from controller.runtime.manifest import Manifest
from controller.runtime.objects.node import Node
from controller.runtime.reconcile import Request
from controller.state.claim_indexes import claim_node
from controller.translate.node import host_view


def node_of_inventory(event: StoreEvent[Manifest]) -> Iterable[Request]:
    """The GPUNode, when partitions, quarantine or what the agent says of itself differ."""
    if event.old is not None and event.new is not None and _seen(event.old) == _seen(event.new):
        return ()
    return (Request("", event.key),)


def _seen(raw: Manifest) -> object:
    """What verdicts are made of, as it stands on the wire: every pod that comes or goes changes a GPUNode."""
    status = raw.get("status") or {}
    gpus = [
        (gpu["bdf"], gpu.get("mode"), [(one["id"], one.get("health")) for one in gpu.get("partitions") or ()])
        for gpu in status.get("gpus") or ()
    ]
    return raw.get("spec"), gpus, [(one["type"], one["status"]) for one in status.get("conditions") or ()]


def node_of_host(event: StoreEvent[Node]) -> Iterable[Request]:
    """The Node, when it is not Ready any more, or again, or gone."""
    if event.old is not None and event.new is not None and host_view(event.old).ready == host_view(event.new).ready:
        return ()
    return (Request("", event.key),)


def node_of_troubled_claim(event: StoreEvent[Manifest]) -> Iterable[Request]:
    """The node of a claim of which something was said: it may have moved on."""
    conditions = (event.object.get("status") or {}).get("conditions") or ()
    if not any(one["type"] == CONDITION and one["status"] != "True" for one in conditions):
        return ()
    return [Request("", name) for name in claim_node(event.object)]
