"""Which events reconcile which claim, and which changes could help a claim that waits."""

from collections.abc import Callable, Iterable
from typing import Any

from api.group import CLAIM_PREFIX, GATE
from api.v1beta1 import GPUNode, GPUPartitionClaim
from controller.runtime.cache.informer import Informer
from controller.runtime.cache.store import EventType, StoreEvent
from controller.runtime.manifest import Manifest
from controller.runtime.objects.metadata import PartialObject
from controller.runtime.objects.node import Node
from controller.runtime.objects.pod import Pod
from controller.runtime.objects.resource_claim import ResourceClaim
from controller.runtime.reconcile import Request
from controller.runtime.source import NORMAL
from controller.state.models import models_told_of
from controller.state.plans import waits
from controller.state.pods import PodTable
from controller.state.table import Table
from controller.translate.node import gpus, host_view
from controller.translate.pod import TERMINAL_PHASES, claim_name

#: Somebody waits for a held pod, and for a confirmation nobody: in a burst gates open first.
HELD = 10


def claim_of_pod(event: StoreEvent[Pod]) -> Iterable[tuple[Request, int]]:
    """The claim that a pod names; urgent while our gate holds the pod.

    One of the device plugin that loses its gate without our patch takes no part any more: its claim is to say so.
    """
    pod = event.object
    name = claim_name(pod) or (claim_name(event.old) if event.old is not None else None)
    if not name:
        return ()
    held = event.new is not None and any(gate.name == GATE for gate in pod.spec.scheduling_gates)
    return ((Request(pod.metadata.namespace, name), HELD if held else NORMAL),)


def claim_of_resource_claim(event: StoreEvent[ResourceClaim]) -> Iterable[Request]:
    """The claim of the same name, when the ResourceClaim could be ours."""
    metadata = event.object.metadata
    return (Request(metadata.namespace, metadata.name),) if metadata.name.startswith(CLAIM_PREFIX) else ()


def claims_told_of(pods: PodTable) -> Callable[[StoreEvent[Manifest]], Iterable[Request]]:
    """The claims of pods of which a node's kubelet tells something new, or whose node has other modes now."""

    def found(event: StoreEvent[Manifest]) -> Iterable[Request]:
        before, now = _assigned(event.old), _assigned(event.new)
        told = before | now if _modes(event.old) != _modes(event.new) else before ^ now
        for key in {f"{entry['namespace']}/{entry['pod']}" for entry in map(dict, told)}:
            view = pods.view(key)
            if view is not None and view.claim is not None:
                yield Request(view.namespace, view.claim)

    return found


def _assigned(gpu_node: Manifest | None) -> frozenset[tuple[tuple[str, Any], ...]]:
    entries = ((gpu_node or {}).get("status") or {}).get("assigned") or ()
    return frozenset(tuple(sorted(entry.items())) for entry in entries)


def _modes(gpu_node: Manifest | None) -> dict[str, Any]:
    return {gpu["bdf"]: gpu.get("mode") for gpu in ((gpu_node or {}).get("status") or {}).get("gpus") or ()}


def claims_of_map(pods: Informer[Pod]) -> Callable[[StoreEvent[PartialObject]], Iterable[tuple[Request, int]]]:
    """The claims of held pods that mount a ConfigMap of profiles, which came, went or changed."""
    return lambda event: claims_waiting_for(pods, event.key)


def claims_waiting_for(pods: Informer[Pod], profile_map: str) -> Iterable[tuple[Request, int]]:
    """The claims of held pods that mount the ConfigMap of that key."""
    for pod in pods.store.by_index("profiles", profile_map):
        name = claim_name(pod)
        if name and any(gate.name == GATE for gate in pod.spec.scheduling_gates):
            yield Request(pod.metadata.namespace, name), HELD


def claims_of_profile(
    claims: Table[Manifest, GPUPartitionClaim],
) -> Callable[[StoreEvent[Manifest]], Iterable[Request]]:
    """The claims that a ModelProfile sizes or may have sized, and those that could not be sized."""

    def found(event: StoreEvent[Manifest]) -> Iterable[Request]:
        models = models_told_of(event)
        for key, claim in claims.items() if models else ():
            model = claim.spec.model
            if model is None or model.id in models or model.profile_ref == event.key:
                yield Request.of(key)

    return found


def frees_device(event: StoreEvent[ResourceClaim]) -> bool:
    """A ResourceClaim gave up its allocation."""
    return _allocated(event.old) and not _allocated(event.new)


def _allocated(claim: ResourceClaim | None) -> bool:
    return claim is not None and claim.status.allocation is not None


def frees_claim(event: StoreEvent[Manifest]) -> bool:
    """One of our claims gave up its partition."""
    return _holds(event.old) and not _holds(event.new)


def _holds(claim: dict[str, object] | None) -> bool:
    status = (claim or {}).get("status")
    return isinstance(status, dict) and bool(status.get("allocation")) and status.get("phase") != "Released"


def ends_nomination(event: StoreEvent[Manifest]) -> bool:
    """No place is kept for one of our claims any more, or another one."""
    before = _kept(event.old)
    return before is not None and before != _kept(event.new)


def frees_kept_place(event: StoreEvent[Manifest]) -> bool:
    """A service keeps a place no more that it kept for its next revision."""
    after = _places(event.new)
    return any(place not in after for place in _places(event.old))


def _places(service: Manifest | None) -> list[object]:
    applied = ((service or {}).get("status") or {}).get("applied") or {}
    return list(applied.get("places") or ())


def _kept(claim: Manifest | None) -> object:
    return ((claim or {}).get("status") or {}).get("nomination")


def frees_node(event: StoreEvent[Pod]) -> bool:
    """A pod left its node or ended, so CPU, memory and a pod slot are free again."""
    old = event.old
    if old is None or not old.spec.node_name:
        return False
    return event.type is EventType.DELETED or (_ended(event.new) and not _ended(old))


def _ended(pod: Pod | None) -> bool:
    return pod is not None and pod.status.phase in TERMINAL_PHASES


def node_differs(event: StoreEvent[Node]) -> bool:
    """A Node differs in what placement reads; heartbeats do not count."""
    if event.old is None or event.new is None:
        return True
    return host_view(event.old) != host_view(event.new)


def inventory_differs(event: StoreEvent[Manifest]) -> bool:
    """A GPUNode differs in spec or hardware; who holds what is known from claims."""
    if event.old is None or event.new is None:
        return True
    old, new = GPUNode.model_validate(event.old), GPUNode.model_validate(event.new)
    return old.spec != new.spec or gpus(old) != gpus(new)


def plan_moves(event: StoreEvent[Manifest]) -> bool:
    """A plan changed its phase, or began to wait, so GPUs may be free to use again."""
    return _stands(event.old) != _stands(event.new)


def _stands(plan: Manifest | None) -> object:
    status = (plan or {}).get("status") or {}
    phase = status.get("phase")
    return phase, waits(phase or "", status.get("message") or "")


def policy_differs(event: StoreEvent[Manifest]) -> bool:
    """A policy's spec changed."""
    return (event.old or {}).get("spec") != (event.new or {}).get("spec")


def labels_differ(event: StoreEvent[Manifest]) -> bool:
    """A namespace's labels changed."""
    old = (event.old or {"metadata": {}})["metadata"].get("labels")
    new = (event.new or {"metadata": {}})["metadata"].get("labels")
    return bool(old != new)
