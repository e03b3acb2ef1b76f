"""Models on the real control plane: their AIM profiles where their pods are, and facts that change under claims."""

import json
from pathlib import Path
from typing import Any

import pytest

from e2e.plane import Plane
from tests.builders.model_profile import MODEL, model_profile
from tests.integration.operator.running import AIM, Object, Running, opt_in, pod, running, service
from tests.integration.operator.test_mode_change import policy

pytestmark = pytest.mark.plane

PROFILES = f"{AIM}/modelprofiles"
ONE = {"model": MODEL, "max_concurrency": "1"}


async def _placed(cluster: Running, mode: str) -> Object:
    """The service's pod once it is bound in that mode and nothing else is left of the service."""

    async def bound() -> Object | None:
        found = await cluster.get(f"{cluster.services_path}/chat")
        rows = found.get("status", {}).get("placements", [])
        pods = [one for one in await cluster.pods() if not one["spec"].get("schedulingGates")]
        if len(rows) == len(pods) == 1 and (rows[0]["mode"], rows[0]["pod"]) == (mode, pods[0]["metadata"]["name"]):
            return {"pod": pods[0], "placement": rows[0]}
        return None

    found: Object = await cluster.eventually(f"the pod is bound in {mode}", bound)
    return found


def _assert_told(found: Object, want: str) -> None:
    """The pod reads the profile from its annotations, and has the files mounted."""
    one, (container,) = found["pod"], found["pod"]["spec"]["containers"]
    assert found["placement"]["profile"] == one["metadata"]["annotations"]["aim.amd.com/profile-id"] == want
    assert "max-num-batched-tokens" in json.loads(one["metadata"]["annotations"]["aim.amd.com/engine-args"])
    env = {item["name"]: item["valueFrom"]["fieldRef"]["fieldPath"] for item in container["env"]}
    assert env["AIM_PROFILE_ID"] == "metadata.annotations['aim.amd.com/profile-id']"
    mounts = {mount["mountPath"]: mount["name"] for mount in container["volumeMounts"]}
    name = mounts["/workspace/aim-runtime/profiles/custom/general"]
    (volume,) = [each for each in one["spec"]["volumes"] if each["name"] == name]
    assert (volume["configMap"]["name"], volume["configMap"].get("optional")) == ("chat-aim-profiles", None)


async def test_a_service_whose_placement_changes_mode_gets_the_other_profile(plane: Plane, tmp_path: Path) -> None:
    async with running(plane, tmp_path, {"a": "CPX/NPS4"}, gpus=1) as cluster:
        await cluster.rule(policy())
        await cluster.create(cluster.services_path, service("chat", replicas=1))
        first = await _placed(cluster, "CPX/NPS4")
        _assert_told(first, "custom/general/vllm-mi300x-bf16-tp1-latency-cpx-nps4")
        files = await cluster.get(f"/api/v1/namespaces/{cluster.namespace}/configmaps/chat-aim-profiles")
        assert files["metadata"]["ownerReferences"][0]["kind"] == "InferenceService"

        other = {"spec": {"gpuSharing": {"partition": {"mode": "QPX/NPS4"}}}}
        await cluster.patch(f"{cluster.services_path}/chat", other)
        second = await _placed(cluster, "QPX/NPS4")
        _assert_told(second, "custom/general/vllm-mi300x-bf16-tp1-latency-qpx-nps4")
        for found in (first, second):
            assert f"{found['placement']['profile'].rpartition('/')[2]}.yaml" in files["data"]


async def _say(cluster: Running, weights_gib: int) -> None:
    await cluster.patch(f"{PROFILES}/chat-8b", {"spec": {"overrides": {"weightsBytes": weights_gib << 30}}})


async def _condition(cluster: Running, type_: str) -> dict[str, Any] | None:
    (claim,) = await cluster.claims()
    return next((one for one in claim["status"]["conditions"] if one["type"] == type_), None)


async def test_claims_follow_what_their_model_profile_says(plane: Plane, tmp_path: Path) -> None:
    profile = model_profile()
    profile["metadata"] = {"name": "chat-8b"}
    async with running(plane, tmp_path, {"a": "CPX/NPS4"}, gpus=1) as cluster:
        await cluster.create(cluster.pods_path, pod("chat", opt_in(**ONE)))
        await cluster.claim_where(reason="UnknownModel")
        try:
            await cluster.create(
                PROFILES, profile | {"spec": profile["spec"] | {"overrides": {"weightsBytes": 100 << 30}}}
            )
            large = await cluster.claim_where(reason="NoPartitionFits")
            await _say(cluster, 1)
            (small,) = await cluster.all_allocated(1)
            assert small["metadata"]["uid"] != large["metadata"]["uid"]

            await _say(cluster, 100)
            marked = await cluster.eventually("the claim is too small", lambda: _condition(cluster, "TooSmall"))
            assert (marked["status"], marked["reason"]) == ("True", "ModelNeedsMore")
            (claim,) = await cluster.claims()
            assert (claim["metadata"]["uid"], claim["status"]["phase"]) == (small["metadata"]["uid"], "Allocated")
            assert claim["status"]["allocation"] == small["status"]["allocation"]

            sizes = (await cluster.get(f"{PROFILES}/chat-8b"))["status"]["sizes"]
            assert sizes[0]["totalBytes"] > 100 << 30
        finally:
            await cluster.delete(f"{PROFILES}/chat-8b")
