from typing import Any, cast

import pytest

from api.group import MANAGED_LABEL
from controller.reconcilers.gpu_node.controller import GPUNodeReconciler
from controller.runtime.client.client import Client
from controller.runtime.client.core import NODES
from controller.runtime.client.errors import AlreadyExists
from controller.runtime.reconcile import Request, Result
from controller.state.kinds import GPU_NODES, GPU_SHARING_POLICIES, REPARTITION_PLANS
from tests.builders.cluster import FedCluster
from tests.builders.gpu_node import gpu_node
from tests.builders.node import node_object
from tests.builders.plan import plan
from tests.builders.policy import policy_object
from tests.controller.reconcilers.gpu_partition_claim.api import MOVED_ON, InMemoryApi, refusing


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
    fed.listed(fed.cluster.plans, *api.of(REPARTITION_PLANS))
    fed.listed(fed.cluster.policies, *api.of(GPU_SHARING_POLICIES))
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


TAINT = {"key": "aim.amd.com/repartitioning", "value": "plan-1", "effect": "NoSchedule"}
OTHER = {"key": "dedicated", "value": "x", "effect": "NoSchedule"}
WANTS_TAINT = policy_object(repartition={"taintNode": True})


def deleted(made: dict[str, Any]) -> dict[str, Any]:
    """The plan as somebody deletes it, with a finalizer of theirs in the way."""
    return made | {"metadata": made["metadata"] | {"deletionTimestamp": "2026-01-01T00:00:00Z"}}


@pytest.mark.parametrize(
    ("plans", "policies", "left"),
    [
        pytest.param([plan(phase="Draining")], [WANTS_TAINT], True, id="of a plan under way"),
        pytest.param([], [WANTS_TAINT], False, id="of a plan that is gone"),
        pytest.param([deleted(plan(phase="Draining"))], [WANTS_TAINT], False, id="of one that is being deleted"),
        pytest.param([plan(phase="Failed")], [WANTS_TAINT], False, id="of one that has ended"),
        pytest.param([plan(phase="Verifying")], [WANTS_TAINT], False, id="of one whose plugins restart"),
        pytest.param([plan(node="worker-9", phase="Draining")], [WANTS_TAINT], False, id="of a plan elsewhere"),
        pytest.param([plan(phase="Draining")], [policy_object()], False, id="that the policy does not want"),
        pytest.param([plan(phase="Draining")], [], False, id="that no policy wants"),
    ],
)
@pytest.mark.parametrize("managed", ["true", "false"])
async def test_a_taint_that_no_plan_wants_is_taken_off_at_the_start(
    api: InMemoryApi, plans: list[dict[str, Any]], policies: list[dict[str, Any]], left: bool, managed: str
) -> None:
    api.put(NODES, node_object(labels={MANAGED_LABEL: managed}, taints=[TAINT, OTHER]))
    for resource, objects in ((REPARTITION_PLANS, plans), (GPU_SHARING_POLICIES, policies)):
        for made in objects:
            api.put(resource, made)
    assert await reconcile(api) == Result()
    (node,) = api.of(NODES)
    assert node["spec"]["taints"] == ([TAINT, OTHER] if left else [OTHER])


async def test_a_taint_is_swept_off_again_when_others_keep_writing_the_node(api: InMemoryApi) -> None:
    api.put(NODES, node_object(labels={MANAGED_LABEL: "false"}, taints=[TAINT]))
    api.before_write = refusing("patch nodes", MOVED_ON, times=3)
    assert (await reconcile(api)).requeue_after is not None
    assert await reconcile(api) == Result()
    assert api.of(NODES)[0]["spec"]["taints"] == []


async def test_a_successor_of_the_same_name_starts_over(api: InMemoryApi) -> None:
    api.put(NODES, node_object())
    api.put(GPU_NODES, owned("uid-former"))
    assert (await reconcile(api)).requeue_after is not None
    await reconcile(api)
    (made,) = api.of(GPU_NODES)
    assert made["metadata"]["ownerReferences"][0]["uid"] == "uid-worker-0"
