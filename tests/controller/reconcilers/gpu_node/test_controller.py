from typing import Any, cast

import pytest

from api.group import MANAGED_LABEL
from controller.reconcilers.gpu_node.controller import GPUNodeReconciler
from controller.runtime.client.client import Client
from controller.runtime.client.core import NODES
from controller.runtime.client.errors import AlreadyExists
from controller.runtime.reconcile import Request, Result
from controller.state.kinds import GPU_NODES
from tests.builders.cluster import FedCluster
from tests.builders.gpu_node import gpu_node
from tests.builders.node import node_object
from tests.controller.reconcilers.gpu_partition_claim.api import InMemoryApi, refusing


@pytest.fixture
def api() -> InMemoryApi:
    return InMemoryApi()


def bare(made: dict[str, Any]) -> dict[str, Any]:
    """The GPUNode before its agent reported anything."""
    return made | {"status": {}}


def owned(owner_uid: str = "uid-worker-0", **fields: Any) -> dict[str, Any]:
    """The node's GPUNode, owned by the Node with that uid."""
    made = bare(gpu_node(**fields))
    owner = {"apiVersion": "v1", "kind": "Node", "name": "worker-0", "uid": owner_uid}
    return made | {"metadata": made["metadata"] | {"ownerReferences": [owner]}}


async def reconcile(api: InMemoryApi) -> Result:
    """One reconcile by an operator that has seen what is stored."""
    fed = FedCluster()
    fed.listed(fed.cluster.nodes, *api.of(NODES))
    fed.listed(fed.cluster.gpu_nodes, *api.of(GPU_NODES))
    return await GPUNodeReconciler(cast("Client", api), fed.cluster).reconcile(Request("", "worker-0"))


def unlabelled() -> dict[str, Any]:
    return node_object(labels={MANAGED_LABEL: "false"})


async def test_a_managed_node_gets_a_gpu_node_that_goes_with_it(api: InMemoryApi) -> None:
    api.put(NODES, node_object())
    await reconcile(api)
    (made,) = api.of(GPU_NODES)
    (owner,) = made["metadata"]["ownerReferences"]
    assert (made["metadata"]["name"], owner["kind"], owner["uid"]) == ("worker-0", "Node", "uid-worker-0")
    assert made["spec"]["managed"] is True
    assert "status" not in made  # that is the agent's


async def test_one_that_somebody_made_meanwhile_is_fine(api: InMemoryApi) -> None:
    api.put(NODES, node_object())
    api.before_write = refusing("create gpunodes", AlreadyExists(409, "AlreadyExists", "worker-0"))
    assert await reconcile(api) == Result()


@pytest.mark.parametrize(
    ("node", "present", "want"),
    [
        pytest.param(unlabelled(), None, [], id="a node that nobody labelled"),
        pytest.param(None, owned(), [], id="a node that is gone"),
        pytest.param(node_object(), owned(), [], id="all as it should be"),
        pytest.param(unlabelled(), owned(), ["patch gpunodes"], id="the label went"),
        pytest.param(unlabelled(), owned(managed=False), [], id="it went before"),
        pytest.param(node_object(), owned(managed=False), ["patch gpunodes"], id="the label is back"),
        pytest.param(node_object(), owned("uid-former"), ["delete gpunodes"], id="another machine of that name"),
    ],
)
async def test_writes(
    api: InMemoryApi, node: dict[str, Any] | None, present: dict[str, Any] | None, want: list[str]
) -> None:
    if node is not None:
        api.put(NODES, node)
    if present is not None:
        api.put(GPU_NODES, present)
    await reconcile(api)
    assert api.writes == want


@pytest.mark.parametrize(
    ("node", "before"),
    [
        pytest.param(unlabelled(), True, id="switched off"),
        pytest.param(node_object(), False, id="switched on"),
    ],
)
async def test_the_label_decides_and_the_rest_stays(api: InMemoryApi, node: dict[str, Any], before: bool) -> None:
    api.put(NODES, node)
    stored = api.put(GPU_NODES, owned(managed=before, paused=True))
    await reconcile(api)
    (found,) = api.of(GPU_NODES)
    assert found["spec"] == {"managed": not before, "paused": True}
    assert found["status"] == stored["status"]


async def test_a_successor_of_the_same_name_starts_over(api: InMemoryApi) -> None:
    api.put(NODES, node_object())
    api.put(GPU_NODES, owned("uid-former"))
    assert (await reconcile(api)).requeue_after is not None
    await reconcile(api)
    (made,) = api.of(GPU_NODES)
    assert made["metadata"]["ownerReferences"][0]["uid"] == "uid-worker-0"
