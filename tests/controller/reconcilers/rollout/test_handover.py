"""Who hands over to a pod of the newest revision, and when nobody does."""

from typing import Any

import pytest

from controller.placement.scheduler import ModelScheduler
from controller.placement.snapshot import Gpu, Holder, PolicyView, Snapshot
from controller.reconcilers.rollout.handover import Family, Hand, Hold, OldPod, decide_handover
from tests.builders.demand import demand
from tests.builders.gpu import gpu
from tests.builders.node import node

GENEROUS = PolicyView("p", handover=True, validated_only=False)


def held(*names: str) -> Gpu:
    return gpu(0, "DPX/NPS1", holders={n: Holder("ours", f"team-a/{name}") for n, name in enumerate(names)})


def old(name: str, *, ready: bool = True) -> OldPod:
    return OldPod(f"team-a/{name}", name, f"uid-{name}", "worker-0", ready)


def decided(*pods: OldPod, policy: PolicyView = GENEROUS, gib: float = 16, newest: bool = True, **family: int) -> Any:
    counts = {"starting": 0, "leaving": 0, "down": 0} | family
    snapshot = Snapshot([node("worker-0", held("a", "b"), policy=policy)])
    return decide_handover(ModelScheduler(), snapshot, demand("new", gib, newest=newest), Family(pods, **counts))


def test_a_pod_that_does_not_serve_goes_first() -> None:
    verdict = decided(old("a"), old("b", ready=False))
    assert isinstance(verdict, Hand)
    assert verdict.pod.name == "b"
    assert verdict.placed.partition.id.index == 1


@pytest.mark.parametrize(
    ("changes", "want"),
    [
        pytest.param({"policy": PolicyView("p")}, "no old pod", id="the policy does not say so"),
        pytest.param({"policy": PolicyView("p", handover=True, paused=True)}, "no old pod", id="paused"),
        pytest.param({"newest": False}, "no old pod", id="the pod that waits is an old one itself"),
        pytest.param({"starting": 1}, "does not serve yet", id="the last heir starts"),
        pytest.param({"leaving": 1}, "does not serve yet", id="the last pod is leaving"),
        pytest.param({"down": 1}, "maxUnavailablePods 1", id="the budget is used up"),
        pytest.param({"gib": 150}, "holds what the new one needs", id="nobody's partition would do"),
    ],
)
def test_nobody_goes(changes: dict[str, Any], want: str) -> None:
    verdict = decided(old("a"), old("b"), **changes)
    assert isinstance(verdict, Hold)
    assert want in verdict.reason
