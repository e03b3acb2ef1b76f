"""Which events reconcile which claim, and which changes could help a claim that waits."""

from collections.abc import Iterable

from api.group import CLAIM_PREFIX
from api.v1beta1 import GPUNode
from controller.runtime.cache.store import EventType, StoreEvent
from controller.runtime.reconcile import Request
from controller.translate.node import gpus, host_view
from controller.translate.pod import TERMINAL_PHASES, claim_name


def claim_of_pod(event: StoreEvent) -> Iterable[Request]:
    """The claim that a pod names."""
    name = claim_name(event.object)
    return (Request(event.object["metadata"]["namespace"], name),) if name else ()


def claim_itself(event: StoreEvent) -> Iterable[Request]:
    """The claim of a GPUPartitionClaim's event."""
    metadata = event.object["metadata"]
    return (Request(metadata["namespace"], metadata["name"]),)


def claim_of_resource_claim(event: StoreEvent) -> Iterable[Request]:
    """The claim of the same name, when the ResourceClaim could be ours."""
    metadata = event.object["metadata"]
    return (Request(metadata["namespace"], metadata["name"]),) if metadata["name"].startswith(CLAIM_PREFIX) else ()


def frees_device(event: StoreEvent) -> bool:
    """A ResourceClaim gave up its allocation."""
    had = bool(event.old and (event.old.get("status") or {}).get("allocation"))
    has = bool(event.new and (event.new.get("status") or {}).get("allocation"))
    return had and not has


def frees_claim(event: StoreEvent) -> bool:
    """One of our claims gave up its partition."""
    return _holds(event.old) and not _holds(event.new)


def _holds(claim: dict[str, object] | None) -> bool:
    status = (claim or {}).get("status")
    return isinstance(status, dict) and bool(status.get("allocation")) and status.get("phase") != "Released"


def frees_node(event: StoreEvent) -> bool:
    """A pod left its node or ended, so CPU, memory and a pod slot are free again."""
    old = event.old
    if old is None or not old["spec"].get("nodeName"):
        return False
    ended = event.new is not None and event.new.get("status", {}).get("phase") in TERMINAL_PHASES
    return event.type is EventType.DELETED or (ended and old.get("status", {}).get("phase") not in TERMINAL_PHASES)


def node_differs(event: StoreEvent) -> bool:
    """A Node differs in what placement reads; heartbeats do not count."""
    if event.old is None or event.new is None:
        return True
    return host_view(event.old) != host_view(event.new)


def inventory_differs(event: StoreEvent) -> bool:
    """A GPUNode differs in spec or hardware; who holds what is known from claims."""
    if event.old is None or event.new is None:
        return True
    old, new = GPUNode.model_validate(event.old), GPUNode.model_validate(event.new)
    return old.spec != new.spec or gpus(old) != gpus(new)


def plan_moves(event: StoreEvent) -> bool:
    """A plan changed its phase, so GPUs may be free to use again."""
    return _phase(event.old) != _phase(event.new)


def _phase(plan: dict[str, object] | None) -> object:
    status = (plan or {}).get("status")
    return status.get("phase") if isinstance(status, dict) else None


def policy_differs(event: StoreEvent) -> bool:
    """A policy's spec changed."""
    return (event.old or {}).get("spec") != (event.new or {}).get("spec")


def labels_differ(event: StoreEvent) -> bool:
    """A namespace's labels changed."""
    old = (event.old or {"metadata": {}})["metadata"].get("labels")
    new = (event.new or {"metadata": {}})["metadata"].get("labels")
    return bool(old != new)
