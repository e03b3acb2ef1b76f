from typing import Any, cast

import pytest

from controller.reconcilers.gpu_node.controller import GPUNodeReconciler
from controller.reconcilers.gpu_node.labelling import labels_patch
from controller.runtime.client.client import Client
from controller.runtime.client.core import NODES
from controller.runtime.client.errors import ApiError, Conflict, NotFound
from controller.runtime.reconcile import Request
from controller.state.kinds import GPU_NODES, REPARTITION_PLANS
from tests.builders.cluster import FedCluster
from tests.builders.gpu import gpu
from tests.builders.gpu_node import gpu_node
from tests.builders.node import node_object, typed_node
from tests.builders.plan import plan
from tests.controller.reconcilers.gpu_partition_claim.api import InMemoryApi, refusing

MODE = "aim.amd.com/gpu.mode"
EXPORTER = "aim.amd.com/metrics-exporter"


@pytest.fixture
def api() -> InMemoryApi:
    stored = InMemoryApi()
    stored.put(NODES, node_object())
    reported(stored, "CPX/NPS4")
    return stored


def reported(api: InMemoryApi, mode: str, owner_uid: str = "uid-worker-0") -> None:
    """The agent reports one GPU in that mode."""
    made = gpu_node("worker-0", gpu(0, mode))
    owner = {"apiVersion": "v1", "kind": "Node", "name": "worker-0", "uid": owner_uid}
    api.put(GPU_NODES, made | {"metadata": made["metadata"] | {"ownerReferences": [owner]}})


async def reconcile(api: InMemoryApi) -> dict[str, str]:
    """One reconcile by an operator that has seen what is stored; gives the Node's labels."""
    fed = FedCluster()
    fed.listed(fed.cluster.nodes, *api.of(NODES))
    fed.listed(fed.cluster.gpu_nodes, *api.of(GPU_NODES))
    fed.listed(fed.cluster.plans, *api.of(REPARTITION_PLANS))
    await GPUNodeReconciler(cast("Client", api), fed.cluster).reconcile(Request("", "worker-0"))
    return cast("dict[str, str]", api.of(NODES)[0]["metadata"]["labels"])


def set_label(api: InMemoryApi, key: str, value: str) -> None:
    (node,) = api.of(NODES)
    api.put(NODES, node | {"metadata": node["metadata"] | {"labels": node["metadata"]["labels"] | {key: value}}})


async def test_the_node_is_labelled_once_and_follows_its_mode(api: InMemoryApi) -> None:
    assert (await reconcile(api))[MODE] == "CPX-NPS4"
    await reconcile(api)
    assert api.writes == ["patch nodes"]
    reported(api, "DPX/NPS1")
    labels = await reconcile(api)
    assert (labels[MODE], labels["amd.com/gpu.compute-memory-partition"]) == ("DPX-NPS1", "dpx_nps1")
    assert not [key for key in labels if key.endswith("CPX-NPS4")]


async def test_a_node_that_is_managed_no_more_gets_its_own_labels_back(api: InMemoryApi) -> None:
    before = dict(api.of(NODES)[0]["metadata"]["labels"])
    await reconcile(api)
    set_label(api, "aim.amd.com/managed", "false")
    assert await reconcile(api) == before | {"aim.amd.com/managed": "false"}
    assert not any(api.of(NODES)[0]["metadata"].get("annotations", {}).values())


async def test_exporter_stays_paused_while_a_plan_is_under_way(api: InMemoryApi) -> None:
    set_label(api, EXPORTER, "paused")
    api.put(REPARTITION_PLANS, plan(phase="Applying"))
    assert (await reconcile(api))[EXPORTER] == "paused"


@pytest.mark.parametrize("phase", ["Succeeded", "AwaitingApproval", None])
async def test_exporter_comes_back_when_no_plan_is_under_way(api: InMemoryApi, phase: str | None) -> None:
    set_label(api, EXPORTER, "paused")
    if phase is not None:
        api.put(REPARTITION_PLANS, plan(phase=phase))
    assert EXPORTER not in await reconcile(api)


@pytest.mark.parametrize("error", [NotFound(404, "NotFound", "worker-0"), Conflict(409, "Conflict", "uid")])
async def test_a_node_that_went_meanwhile_is_left_to_its_event(api: InMemoryApi, error: ApiError) -> None:
    api.before_write = refusing("patch nodes", error)
    assert MODE not in await reconcile(api)


async def test_another_machine_of_that_name_is_not_labelled_from_the_old_report(api: InMemoryApi) -> None:
    reported(api, "CPX/NPS4", owner_uid="uid-former")
    assert MODE not in await reconcile(api)


def test_patch_names_the_machine_that_was_seen() -> None:
    node = typed_node(labels={EXPORTER: "paused"})
    patch: Any = labels_patch(node.metadata, None, changing=False)
    assert patch == {"uid": "uid-worker-0", "labels": {EXPORTER: None}}
