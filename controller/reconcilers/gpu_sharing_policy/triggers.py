"""Which events may change what policies govern."""

from collections.abc import Iterable
from typing import Any

from controller.reconcilers.gpu_sharing_policy.controller import ALL
from controller.runtime.cache.store import StoreEvent
from controller.runtime.manifest import Manifest
from controller.runtime.objects.node import Node
from controller.runtime.reconcile import Request


def policies_of_policy(event: StoreEvent[Manifest]) -> Iterable[Request]:
    """A policy came, went or says something else; its status, which we write, does not count."""
    return _if((event.old or {}).get("spec") != (event.new or {}).get("spec"))


def policies_of_node(event: StoreEvent[Node]) -> Iterable[Request]:
    """A Node came, went or has other labels."""
    old, new = event.old, event.new
    return _if(old is None or new is None or old.metadata.labels != new.metadata.labels)


def policies_of_gpu_node(event: StoreEvent[Manifest]) -> Iterable[Request]:
    """A GPUNode came, went, or is managed otherwise."""
    return _if(_managed(event.old) != _managed(event.new))


def policies_of_claim(event: StoreEvent[Manifest]) -> Iterable[Request]:
    """A claim got, changed or lost its place."""
    return _if(_place(event.old) != _place(event.new))


def _if(differs: bool) -> Iterable[Request]:
    return (ALL,) if differs else ()


def _managed(node: Manifest | None) -> bool | None:
    return None if node is None else bool((node.get("spec") or {}).get("managed", True))


def _place(claim: Manifest | None) -> Any:
    status = (claim or {}).get("status") or {}
    return status.get("allocation"), status.get("phase") == "Released"
