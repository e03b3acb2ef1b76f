"""A share group on an API server in memory, and the scheduler's and kubelet's parts in it."""

import json
from typing import Any

from api.group import ENGINE_ARGS, ISOLATION, SHARE_GROUP
from controller.runtime.client.core import PODS, RESOURCE_CLAIMS
from controller.state.kinds import GPU_PARTITION_CLAIMS
from controller.translate.share_group import group_claim_name
from tests.builders.pod import pod
from tests.builders.resource_claim import resource_claim
from tests.controller.reconcilers.gpu_partition_claim.api import InMemoryApi
from tests.controller.reconcilers.gpu_partition_claim.flow import Operator

Object = dict[str, Any]

NAME = group_claim_name("team-a", "chat")
KEY = f"team-a/{NAME}"
MEMBER = {
    "aim.amd.com/gpu-sharing": "true",
    "aim.amd.com/model-id": "Qwen/Qwen2.5-0.5B-Instruct",
    "aim.amd.com/max-concurrency": "4",
    ISOLATION: "cooperative",
    SHARE_GROUP: "chat",
}


def member(name: str, *, annotations: dict[str, str] | None = None, **fields: Any) -> Object:
    """A gated member of group chat."""
    return pod(name, claim=NAME, annotations=MEMBER | (annotations or {}), **fields)


def the_claim(api: InMemoryApi) -> Object:
    """The group's only claim."""
    (found,) = api.of(GPU_PARTITION_CLAIMS)
    return found


def shares(api: InMemoryApi) -> dict[str, Object]:
    """The shares by the names of their pods."""
    return {share["pod"]["name"]: share for share in the_claim(api)["status"].get("shares", ())}


def the_pod(api: InMemoryApi, name: str) -> Object:
    """A stored pod."""
    return api.objects["pods", "team-a", name]


def told(api: InMemoryApi, name: str) -> dict[str, str]:
    """The annotations of a pod."""
    found: dict[str, str] = the_pod(api, name)["metadata"]["annotations"]
    return found


def arguments(api: InMemoryApi, name: str) -> Object:
    """The engine's arguments that a pod is told."""
    found: Object = json.loads(told(api, name)[ENGINE_ARGS])
    return found


def open_pods(api: InMemoryApi) -> set[str]:
    """The pods whose gate is open."""
    return {each["metadata"]["name"] for each in api.of(PODS) if not each["spec"].get("schedulingGates")}


def allocate(api: InMemoryApi, device: str | None = None) -> None:
    """The scheduler's word: the group's ResourceClaim gets the pinned device, and is for every pod that is let go."""
    made = api.objects["resourceclaims", "team-a", NAME]
    pinned = the_claim(api)["status"]["allocation"]["devices"][0]["device"]
    given = resource_claim(device=device or pinned)["status"]
    users = [{"resource": "pods", "name": name, "uid": f"uid-{name}"} for name in sorted(open_pods(api))]
    api.put(RESOURCE_CLAIMS, made | {"status": given | {"reservedFor": users}})


def remove(api: InMemoryApi, name: str) -> None:
    """The pod is gone."""
    del api.objects["pods", "team-a", name]


async def rounds(operator: Operator, number: int = 3) -> None:
    """So many rounds of the operator on the group's claim."""
    for _ in range(number):
        await operator.round(KEY)
