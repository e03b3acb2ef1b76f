"""What an update of annotations on a KServe service that serves is warned of: never refused, and silent when it fits."""

from typing import Any

import pytest

from api.group import GPU_SHARING, MAX_MODEL_LEN, MODEL_ID, SERVICE_LABEL
from controller.placement.snapshot import Gpu
from controller.sizing.catalog import Catalog
from controller.state.kserve import POD_LABEL
from controller.state.models import Models
from controller.webhooks.kserve_validation import KServeValidator
from tests.builders.claim import bound_claim
from tests.builders.gpu import full, gpu
from tests.builders.pod import pod
from tests.builders.policy import policy_object
from tests.controller.webhooks.ground import Ground, Object

OLD = {GPU_SHARING: "true", MODEL_ID: "Qwen/Qwen3-4B"}
LONGER = OLD | {MAX_MODEL_LEN: "4096"}
LARGE = OLD | {MODEL_ID: "meta-llama/Llama-3.1-70B-Instruct"}
FREEING = {"rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}}


def kserve(annotations: dict[str, str], *, labels: dict[str, str] | None = None, **predictor: Any) -> Object:
    return {
        "metadata": {"name": "chat", "namespace": "team-a", "annotations": annotations, "labels": labels or {}},
        "spec": {"predictor": {"containers": [{"name": "kserve-container", "image": "x"}], **predictor}},
    }


def serving(*gpus: Gpu, rollout: str = "RollingUpdate") -> Ground:
    """A node in which one pod of the service holds the first partition of the first GPU."""
    ground = Ground(policies=[policy_object(rollout=rollout)])
    fed, cluster = ground.fed, ground.cluster
    for informer in (cluster.pods, cluster.claims, cluster.resource_claims):
        fed.listed(informer)
    fed.add_node("worker-0", *gpus)
    fed.put(cluster.pods, pod("chat-1", gates=(), node="worker-0", metadata={"labels": {POD_LABEL: "chat"}}))
    fed.put(cluster.claims, bound_claim(pod="chat-1", phase="Allocated"))
    return ground


async def told(ground: Ground, new: Object) -> tuple[str, ...]:
    validator = KServeValidator(ground.cluster, Models(Catalog.bundled()))
    given = await ground.ask(validator, new, kserve(OLD))
    assert given.allowed
    return given.warnings


async def test_room_beside_the_old_pod_is_nothing_to_tell() -> None:
    assert await told(serving(gpu(0, "DPX/NPS1")), kserve(LONGER)) == ()


@pytest.mark.parametrize(
    ("predictor", "want"),
    [
        pytest.param({}, "the old pods serve on", id="surging"),
        pytest.param({"deploymentStrategy": FREEING}, "old pods go first", id="freeing"),
        pytest.param({"deploymentStrategy": {"type": "Recreate"}}, "old pods go first", id="recreating"),
    ],
)
async def test_no_place_at_all_is_told_with_what_becomes_of_the_old_pods(predictor: dict[str, Any], want: str) -> None:
    (warning,) = await told(serving(gpu(0, "DPX/NPS1")), kserve(LARGE, **predictor))
    assert "find no place (NoPartitionFits)" in warning
    assert want in warning


@pytest.mark.parametrize(
    ("predictor", "rollout", "want"),
    [
        pytest.param({}, "RollingUpdate", True, id="a surge that nobody makes room for"),
        pytest.param({}, "Handover", False, id="old pods hand over"),
        pytest.param({"deploymentStrategy": FREEING}, "RollingUpdate", False, id="the strategy frees one"),
    ],
)
async def test_a_place_that_only_the_old_pods_have(predictor: dict[str, Any], rollout: str, want: bool) -> None:
    warnings = await told(serving(gpu(0, "SPX/NPS1"), rollout=rollout), kserve(LONGER, **predictor))
    assert [("maxSurge 0" in each) for each in warnings] == ([True] if want else [])


async def test_an_object_that_we_made_is_not_warned_of_its_own_condition_tells_it() -> None:
    ground = serving(gpu(0, "DPX/NPS1"), full(1, "DPX/NPS1"))
    assert await told(ground, kserve(LARGE, labels={SERVICE_LABEL: "chat"})) == ()
