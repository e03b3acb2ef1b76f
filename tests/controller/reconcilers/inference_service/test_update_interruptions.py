"""Updates on an API server in this process: what is on record before a template changes, and after a crash."""

from typing import Any

import pytest

from api.group import SERVICE_LABEL
from api.object import dump
from controller.runtime.client.core import DEPLOYMENTS
from controller.runtime.client.errors import ApiError
from controller.state.kinds import INFERENCE_SERVICES
from tests.builders.claim import bound_claim
from tests.builders.gpu import gpu
from tests.builders.inference_service import inference_service
from tests.builders.pod import pod
from tests.controller.reconcilers.inference_service.test_controller import KEY, Operator, World, world
from tests.fakes import faults

__all__ = ["world"]
SURGING = {"maxSurge": 1, "maxUnavailable": 0}


async def serving(world: World) -> Operator:
    """An operator whose service has one pod, in one of two partitions."""
    await Operator(*world, served=False).reconcile()
    return beside(Operator(*world, served=False))


def beside(operator: Operator) -> Operator:
    fed, cluster = operator.fed, operator.fed.cluster
    fed.add_node("worker-0", gpu(0, "DPX/NPS1"))
    fed.put(cluster.pods, pod("chat-1", gates=(), node="worker-0", metadata={"labels": {SERVICE_LABEL: "chat"}}))
    fed.put(cluster.claims, bound_claim(pod="chat-1", phase="Allocated"))
    return operator


def change(operator: Operator, generation: int, **model: Any) -> None:
    stored = operator.service
    wanted = dump(inference_service(model=model))
    metadata = stored["metadata"] | {"generation": generation}
    operator.api.put(INFERENCE_SERVICES, stored | {"spec": wanted["spec"], "metadata": metadata})


def template(operator: Operator) -> dict[str, Any]:
    found: dict[str, Any] = operator.api.objects(DEPLOYMENTS)[KEY]["spec"]
    return found


def length(operator: Operator) -> str | None:
    annotations = template(operator)["template"]["metadata"]["annotations"]
    found: str | None = annotations.get("aim.amd.com/max-model-len")
    return found


async def test_places_are_on_record_before_the_template_changes(world: World) -> None:
    operator = await serving(world)
    change(operator, 3, maxModelLen=4096)
    before = len(operator.writes())
    await operator.reconcile()
    writes = operator.writes()[before:]
    assert writes.index("status") < writes.index("deployments")
    assert template(operator)["strategy"]["rollingUpdate"] == SURGING
    assert length(operator) == "4096"
    applied = operator.service["status"]["applied"]
    assert (applied["generation"], applied["strategy"], len(applied["places"])) == (3, "Surge", 1)


async def test_an_operator_that_died_in_between_is_followed_by_one_that_goes_on(world: World) -> None:
    operator = await serving(world)
    change(operator, 3, maxModelLen=4096)
    operator.api.play(faults.refusal(500, "InternalError"), on="apply")
    with pytest.raises(ApiError, match="no"):
        await operator.reconcile()
    assert length(operator) is None
    assert operator.service["status"]["applied"]["strategy"] == "Surge"
    heir = beside(Operator(*world, served=False))
    await heir.reconcile()
    assert length(heir) == "4096"
    assert template(heir)["strategy"]["rollingUpdate"] == SURGING


async def test_a_spec_that_changes_again_midway_is_decided_anew(world: World) -> None:
    operator = await serving(world)
    change(operator, 3, maxModelLen=4096)
    await operator.reconcile()
    change(operator, 4, id="meta-llama/Llama-3.1-70B-Instruct")
    await operator.reconcile()
    assert length(operator) == "4096"
    assert operator.reason("UpdateBlocked") == "NoPartitionFits"
    change(operator, 5, maxModelLen=2048)
    await operator.reconcile()
    assert length(operator) == "2048"
    assert operator.service["status"]["applied"]["generation"] == 5


async def test_while_an_update_is_blocked_only_the_number_of_pods_changes(world: World) -> None:
    operator = await serving(world)
    change(operator, 3, id="meta-llama/Llama-3.1-70B-Instruct")
    stored = operator.service
    stored["spec"]["replicas"] = 3
    operator.api.put(INFERENCE_SERVICES, stored)
    before = template(operator)["template"]
    await operator.reconcile()
    assert (template(operator)["replicas"], template(operator)["template"]) == (3, before)
    assert operator.service["status"]["applied"]["generation"] == 2
