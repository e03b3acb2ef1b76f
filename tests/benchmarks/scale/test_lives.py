import itertools
from typing import Any

from controller.runtime.cache.store import EventType, StoreEvent
from tests.benchmarks.scale.lives import Lives

Object = dict[str, Any]


def pod(*, gated: bool = False, ready: bool = False, leaving: bool = False) -> Object:
    metadata = {"name": "a", "namespace": "n", "uid": "u"} | ({"deletionTimestamp": "now"} if leaving else {})
    gates = {"schedulingGates": [{"name": "aim.amd.com/partition"}]} if gated else {}
    return {
        "metadata": metadata,
        "spec": {"resourceClaims": [{"name": "gpu", "resourceClaimName": "aim-x"}], **gates},
        "status": {"conditions": [{"type": "Ready", "status": str(ready)}]},
    }


def event(old: Object | None, new: Object | None) -> StoreEvent[Any]:
    kind = EventType.ADDED if old is None else EventType.DELETED if new is None else EventType.MODIFIED
    return StoreEvent(kind, "n/a", old, new)


def resource_claim(name: str, device: str) -> Object:
    result = {"driver": "gpu.amd.com", "pool": "node", "device": device}
    return {
        "metadata": {"name": name, "namespace": "n"},
        "spec": {},
        "status": {"allocation": {"devices": {"results": [result]}}},
    }


def test_a_life_is_counted_from_its_beginning_to_its_end() -> None:
    seen = Lives()
    states = [None, pod(gated=True), pod(), pod(ready=True), pod(ready=True, leaving=True), None]
    counts = []
    for moment, (old, new) in enumerate(itertools.pairwise(states)):
        seen.take_pod(event(old, new), float(moment))
        counts.append((seen.came, seen.serving, seen.gone))
    assert counts == [(1, 0, 0), (1, 0, 0), (1, 1, 0), (1, 0, 0), (1, 0, 1)]
    assert (seen.gate_times.milliseconds, seen.ready_milliseconds) == ([1000.0], [2000.0])


def test_a_repetition_counts_nothing() -> None:
    seen, same = Lives(), pod(ready=True)
    seen.take_pod(event(None, same), 0.0)
    before = seen.moves
    seen.take_pod(StoreEvent(EventType.MODIFIED, "n/a", same, same, unchanged=True), 1.0)
    assert (seen.moves, seen.ready_milliseconds) == (before, [0.0])


def test_a_device_that_two_claims_have_is_a_fault_and_stays_one() -> None:
    seen = Lives()
    first, second = resource_claim("aim-a", "gpu-0"), resource_claim("aim-b", "gpu-0")
    seen.take_resource_claim(event(None, first))
    assert not seen.faults
    seen.take_resource_claim(event(None, second))
    seen.take_resource_claim(event(second, None))
    assert len(seen.faults) == 1
    assert seen.resource_claims == 1
