from typing import Any

import pytest

from api.v1beta1 import GPUNode, GPUPartitionClaim
from controller.placement.snapshot import Gpu
from controller.reconcilers.unhealthy.verdict import MOVABLE, NodeSeen, Reason, Verdict, judge, silent
from controller.translate.node import HostView, host_view
from tests.builders.claim import allocation, bound_claim
from tests.builders.gpu import bdf, gpu
from tests.builders.gpu_node import gpu_node
from tests.builders.node import typed_node


def host(**fields: Any) -> HostView:
    return host_view(typed_node(**fields))


def inventory(*gpus: Gpu, **status: Any) -> GPUNode:
    reported = gpu_node("worker-0", *gpus)
    return GPUNode.model_validate(reported | {"status": reported["status"] | status})


def said(type_: str, status: str) -> dict[str, Any]:
    condition = {
        "type": type_,
        "status": status,
        "reason": "Any",
        "message": "the driver is gone",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }
    return {"conditions": [condition]}


def seen(*gpus: Gpu, fresh: bool = True, changing: tuple[str, ...] = (), **status: Any) -> NodeSeen:
    return NodeSeen("worker-0", host(), inventory(*gpus, **status), fresh, changing)


CLAIM = GPUPartitionClaim.model_validate(bound_claim(phase="Allocated"))  # partition 0 of GPU 0, in CPX/NPS4


@pytest.mark.parametrize(
    ("node", "want", "words"),
    [
        pytest.param(seen(gpu()), ("True", Reason.HEALTHY), "healthy", id="all well"),
        pytest.param(seen(gpu(unhealthy=(1,))), ("True", Reason.HEALTHY), "healthy", id="a neighbour broke"),
        pytest.param(
            seen(gpu(unhealthy=(0,))), ("False", Reason.UNHEALTHY), f"worker-0 {bdf(0)}/0 is unhealthy", id="broken"
        ),
        pytest.param(seen(gpu(1)), ("False", Reason.GPU_GONE), "GPU is not there", id="the GPU vanished"),
        pytest.param(
            seen(gpu(0, "SPX/NPS1")), ("False", Reason.MODE_CHANGED), "given a partition of CPX/NPS4", id="rebooted"
        ),
        pytest.param(seen(gpu(), fresh=False), ("Unknown", Reason.STALE), "start the agent", id="silent agent"),
        pytest.param(
            seen(gpu(unhealthy=(0,)), **said("Ready", "False")),
            ("Unknown", Reason.UNREADABLE),
            "the driver is gone",
            id="the agent cannot read the hardware: what it shows is old",
        ),
        pytest.param(
            seen(gpu(unhealthy=(0,)), **said("Consistent", "False")),
            ("Unknown", Reason.DISAGREE),
            "worker-0",
            id="the sources disagree",
        ),
        pytest.param(
            seen(gpu(), **said("Consistent", "Unknown")), ("True", Reason.HEALTHY), "healthy", id="not read lately"
        ),
        pytest.param(
            NodeSeen("worker-0", host(ready=False), inventory(gpu(unhealthy=(0,))), fresh=True),
            ("Unknown", Reason.NOT_READY),
            "not Ready",
            id="node not Ready",
        ),
        pytest.param(
            NodeSeen("worker-0", None, inventory(), fresh=False), ("Unknown", Reason.NODE_GONE), "gone", id="node gone"
        ),
        pytest.param(
            NodeSeen("worker-0", host(), None, fresh=True), ("Unknown", Reason.NO_INVENTORY), "label", id="no GPUNode"
        ),
    ],
)
def test_verdict(node: NodeSeen, want: tuple[str, Reason], words: str) -> None:
    verdict = judge(node, CLAIM)
    assert verdict is not None
    assert (verdict.status, verdict.reason) == want
    assert words in verdict.message


def test_nothing_is_said_while_a_plan_has_the_gpu_in_hand() -> None:
    assert judge(seen(gpu(unhealthy=(0,)), changing=(bdf(0),)), CLAIM) is None
    assert judge(seen(gpu(unhealthy=(0,)), changing=(bdf(1),)), CLAIM) is not None


def test_a_partition_that_is_missing_from_its_gpu_is_gone_and_the_agent_says_why() -> None:
    reported = inventory(gpu())
    (whole,) = reported.status.gpus
    short = whole.model_copy(update={"partitions": whole.partitions[1:], "problem": "7 of its 8 partitions are there"})
    status = reported.status.model_copy(update={"gpus": [short]})
    verdict = judge(NodeSeen("worker-0", host(), reported.model_copy(update={"status": status}), fresh=True), CLAIM)
    assert verdict == Verdict(
        "False",
        Reason.PARTITION_GONE,
        f"worker-0 {bdf(0)}/0 is not there any more: 7 of its 8 partitions are there",
    )


def test_a_mode_that_cannot_be_read_is_no_fault_of_the_partition() -> None:
    reported = inventory(gpu())
    blind = reported.status.gpus[0].model_copy(update={"mode": None})
    status = reported.status.model_copy(update={"gpus": [blind]})
    verdict = judge(NodeSeen("worker-0", host(), reported.model_copy(update={"status": status}), fresh=True), CLAIM)
    assert verdict is not None
    assert verdict.reason is Reason.MODE_UNREADABLE
    assert verdict.reason not in MOVABLE


def test_what_the_pod_really_holds_counts_where_it_is_known() -> None:
    observed = {"devices": allocation("worker-0", 0, 3)["devices"]}
    claim = bound_claim(phase="Allocated")
    held = GPUPartitionClaim.model_validate(claim | {"status": claim["status"] | {"observed": observed}})
    node = seen(gpu(unhealthy=(0,)))
    assert (judge(node, CLAIM), judge(node, held)) != (None, None)
    verdict = judge(node, held)
    assert verdict is not None
    assert verdict.status == "True"


def test_a_node_that_is_well_is_not_silent() -> None:
    assert silent(seen(gpu(unhealthy=(0,)))) is None
