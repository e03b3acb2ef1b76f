"""The operator beside the real KServe: services of theirs and of ours, and one condition that everybody can read."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from api.group import ENGINE_LABEL, SERVICE_LABEL
from e2e.plane import Plane
from tests.integration.kserve.services import API, inference_service
from tests.integration.operator.allocation_history import AllocationHistory
from tests.integration.operator.running import SMALL, Object, Running, opt_in, running, service
from tests.integration.webhooks.conftest import Asker

pytestmark = [
    pytest.mark.plane,
    pytest.mark.kserve,
    pytest.mark.xdist_group("kserve"),
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.timeout(300),
]

MIRRORED = "GPUPartitionAllocated"
NO_AUTOSCALER = {"serving.kserve.io/autoscalerClass": "none"}
STOP = "serving.kserve.io/stop"
TOO_LARGE = "deepseek-ai/DeepSeek-V3"
FOR_A_WHOLE_GPU = "meta-llama/Llama-3.1-70B-Instruct"
AT_ONCE = 20
READY_WITHIN_SECONDS = 120.0


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def cluster(kserve_plane: Plane, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Running]:
    """One operator, and one node with 64 partitions, for all tests of this file."""
    folder: Path = tmp_path_factory.mktemp("kserve-flow")
    async with running(kserve_plane, folder, {"a": "CPX/NPS4"}) as started:
        yield started
        await started.delete(kserve_path(started))


def kserve_path(cluster: Running, name: str = "") -> str:
    return f"{API}/namespaces/{cluster.namespace}/inferenceservices{name and f'/{name}'}"


def kserve_service(name: str, *, replicas: int = 1, scales: bool = False, **more: str) -> Object:
    annotations = opt_in(**more) | ({} if scales else NO_AUTOSCALER)
    return inference_service(name, annotations=annotations, minReplicas=replicas)


async def create_kserve(cluster: Running, name: str, **wanted: Any) -> None:
    await cluster.create(kserve_path(cluster), kserve_service(name, **wanted))


def conditions(obj: Object) -> Mapping[str, Object]:
    return {entry["type"]: entry for entry in obj.get("status", {}).get("conditions", ())}


def is_true(obj: Object, *types: str) -> bool:
    return all(conditions(obj).get(type_, {}).get("status") == "True" for type_ in types)


async def once(cluster: Running, path: str, what: str, holds: Callable[[Object], bool], limit: float = 60.0) -> Object:
    """The object at `path` once something holds of it."""

    async def check() -> Object | None:
        found = await cluster.find(path)
        return found if found is not None and holds(found) else None

    found: Object = await cluster.eventually(f"{path}: {what}", check, limit)
    return found


async def once_serving(cluster: Running, name: str, limit: float = 60.0) -> Object:
    """KServe's service once KServe calls it Ready, and we call it allocated."""
    path = kserve_path(cluster, name)
    return await once(cluster, path, "serves", lambda found: is_true(found, MIRRORED, "Ready"), limit)


async def of_service(cluster: Running, kind: str, name: str) -> list[Object]:
    """Objects with KServe's label of that service; `kind` is a path's beginning and end, with a gap between."""
    group, plural = kind.split()
    selector = f"labelSelector=serving.kserve.io/inferenceservice%3D{name}"
    return await cluster.items(f"{group}/namespaces/{cluster.namespace}/{plural}?{selector}")


async def pods_of(cluster: Running, name: str) -> list[Object]:
    return [
        pod for pod in await of_service(cluster, "/api/v1 pods", name) if "deletionTimestamp" not in pod["metadata"]
    ]


async def assert_no_rollout(cluster: Running, name: str, *, generation: int | None = 1) -> None:
    """Nothing has rolled: one ReplicaSet, and (None: whatever) so many generations of the Deployment."""
    assert len(await of_service(cluster, "/apis/apps/v1 replicasets", name)) == 1
    deployment = await cluster.get(f"{cluster.deployments_path}/{name}-predictor")
    assert generation in (None, deployment["metadata"]["generation"])


def assert_untouched(found: Object) -> None:
    """Of ours there is one condition of severity Info, and nothing else."""
    assert found["metadata"]["finalizers"] == ["inferenceservice.finalizers"]
    assert conditions(found)[MIRRORED]["severity"] == "Info"
    assert {"address", "components", "deploymentMode", "modelStatus", "observedGeneration", "url"} <= set(
        found["status"]
    )


async def nothing_left(cluster: Running, name: str) -> None:
    """Wait until service, pods and claims are gone, and with them what they held."""

    async def gone() -> bool:
        owners = {claim["spec"]["podRef"]["name"] for claim in await cluster.claims()}
        return (
            await cluster.find(kserve_path(cluster, name)) is None
            and not await of_service(cluster, "/api/v1 pods", name)
            and not any(owner.startswith(f"{name}-predictor") for owner in owners)
        )

    await cluster.eventually(f"nothing is left of {name}", gone)
    held = {claim["metadata"]["name"] for claim in await cluster.claims()}
    assert {claim["metadata"]["name"] for claim in await cluster.resource_claims()} <= held


async def test_an_annotated_service_is_held_bound_and_ready_and_leaves_nothing(cluster: Running) -> None:
    await create_kserve(cluster, "chat")
    found = await once_serving(cluster, "chat")
    assert_untouched(found)
    assert conditions(found)[MIRRORED]["message"] == "1 of 1 pods hold a partition"
    (pod,) = await pods_of(cluster, "chat")
    assert not pod["spec"].get("schedulingGates")
    assert pod["metadata"]["labels"][ENGINE_LABEL] == "true"
    assert pod["spec"]["nodeName"] == cluster.names["a"]
    (claim,) = [each for each in await cluster.claims() if each["spec"]["podRef"]["uid"] == pod["metadata"]["uid"]]
    assert claim["metadata"]["labels"] == {SERVICE_LABEL: "chat"}, "so that its node's agent tells whose it is"
    await assert_no_rollout(cluster, "chat")
    profiles = await assert_profiles(cluster, pod)
    await cluster.delete(kserve_path(cluster, "chat"))
    await nothing_left(cluster, "chat")
    await cluster.eventually("its profiles are gone", partial(is_gone, cluster, profiles))


async def assert_profiles(cluster: Running, pod: Object) -> str:
    """The pod's profile is in the ConfigMap that it mounts, whose path this gives; it goes with the ReplicaSet."""
    (volume,) = [each for each in pod["spec"]["volumes"] if each["name"] == "aim-profiles"]
    path = f"/api/v1/namespaces/{cluster.namespace}/configmaps/{volume['configMap']['name']}"
    files = await cluster.get(path)
    profile = pod["metadata"]["annotations"]["aim.amd.com/profile-id"]
    assert profile == "custom/general/vllm-mi300x-bf16-tp1-latency-cpx-nps4"
    assert f"{profile.rpartition('/')[2]}.yaml" in files["data"]
    assert [owner["kind"] for owner in files["metadata"]["ownerReferences"]] == ["ReplicaSet"]
    return path


async def is_gone(cluster: Running, path: str) -> bool:
    return await cluster.find(path) is None


async def test_twenty_at_once_are_all_served_by_partitions_of_their_own(cluster: Running) -> None:
    names = [f"many-{number}" for number in range(AT_ONCE)]
    began = time.monotonic()
    await asyncio.gather(*(create_kserve(cluster, name) for name in names))
    found = await asyncio.gather(*(once_serving(cluster, name, READY_WITHIN_SECONDS) for name in names))
    print(f"\n{AT_ONCE} services of KServe's: all Ready and allocated after {time.monotonic() - began:.1f} s")
    for one in found:
        assert_untouched(one)
        await assert_no_rollout(cluster, one["metadata"]["name"])
    devices = list(held_by(await cluster.claims(), "many-"))
    assert len(devices) == len(set(devices)) == AT_ONCE
    await asyncio.gather(*(cluster.delete(kserve_path(cluster, name)) for name in names))


def held_by(claims: Iterable[Object], prefix: str) -> Iterable[tuple[str, int]]:
    for claim in claims:
        if claim["spec"]["podRef"]["name"].startswith(prefix):
            for device in claim["status"]["allocation"]["devices"]:
                yield device["bdf"], device["partition"]


async def test_a_service_of_ours_runs_through_kserve(cluster: Running) -> None:
    path = f"{cluster.services_path}/ours"
    await cluster.create(cluster.services_path, service("ours", replicas=2))
    found = await once(cluster, path, "is Ready", lambda found: is_true(found, "Ready"))
    status = found.get("status", {})
    assert (status["backend"], status["replicas"], status["readyReplicas"]) == ("kserve", 2, 2)
    assert status["selector"] == "serving.kserve.io/inferenceservice=ours"
    assert status["url"] == f"http://ours-predictor.{cluster.namespace}.svc.cluster.local"
    assert len({(row["bdf"], row["partition"]) for row in status["placements"]}) == 2
    made = await once_serving(cluster, "ours")
    assert_untouched(made)
    assert made["metadata"]["ownerReferences"][0]["uid"] == found["metadata"]["uid"]
    deployment = await cluster.get(f"{cluster.deployments_path}/ours-predictor")
    assert deployment["spec"]["strategy"]["rollingUpdate"] == {"maxSurge": 0, "maxUnavailable": 1}
    await assert_no_rollout(cluster, "ours")


async def test_an_operator_that_starts_anew_changes_nothing_of_what_it_made(cluster: Running) -> None:
    made = await once_serving(cluster, "ours")
    await cluster.operator.kill()
    await cluster.operator.start()
    await cluster.create(cluster.services_path, service("later"))
    # it is the last in the queue: when it is served, the others have been looked at
    await once(cluster, f"{cluster.services_path}/later", "is Ready", lambda found: is_true(found, "Ready"))
    after = await cluster.get(kserve_path(cluster, "ours"))
    assert after["metadata"]["generation"] == made["metadata"]["generation"]
    assert after["spec"] == made["spec"]
    await assert_no_rollout(cluster, "ours")


async def test_an_update_of_ours_is_rolled_out_by_kserve_or_held_back(cluster: Running) -> None:
    path = f"{cluster.services_path}/updated"
    await cluster.create(cluster.services_path, service("updated"))
    await once(cluster, path, "is Ready", lambda found: is_true(found, "Ready"))
    (first,) = await pods_of(cluster, "updated")

    await cluster.patch(path, {"spec": {"qos": {"class": "batch"}, "model": {"id": FOR_A_WHOLE_GPU}}})
    await once(cluster, path, "is held back", lambda found: is_true(found, "UpdateBlocked", "Ready"))
    assert [pod["metadata"]["uid"] for pod in await pods_of(cluster, "updated")] == [first["metadata"]["uid"]]
    await assert_no_rollout(cluster, "updated")
    for replicas in (2, 1):
        await cluster.patch(f"{path}/scale", {"spec": {"replicas": replicas}})
        await once(cluster, path, f"has {replicas} pods of before", partial(has_pods, replicas))

    wanted = await cluster.patch(path, {"spec": {"model": {"id": SMALL, "maxModelLen": 2048}}})

    def rolled_out(found: Object) -> bool:
        applied = found.get("status", {}).get("applied", {})
        return applied.get("generation") == wanted["metadata"]["generation"] and "strategy" not in applied

    await once(cluster, path, "is rolled out", lambda found: rolled_out(found) and is_true(found, "Ready"))
    (second,) = await pods_of(cluster, "updated")
    assert second["metadata"]["annotations"]["aim.amd.com/max-model-len"] == "2048"
    assert len(await of_service(cluster, "/apis/apps/v1 replicasets", "updated")) == 2
    await cluster.delete(path)
    await nothing_left(cluster, "updated")


async def test_replicas_of_ours_follow_without_a_rollout_down_to_none(cluster: Running) -> None:
    path = f"{cluster.services_path}/scaled"
    await cluster.create(cluster.services_path, service("scaled"))
    await once(cluster, path, "is Ready", lambda found: is_true(found, "Ready"))
    for replicas in (3, 0, 1):
        await cluster.patch(f"{path}/scale", {"spec": {"replicas": replicas}})
        await once(cluster, path, f"has {replicas} pods ready", partial(has_pods, replicas))
    await assert_no_rollout(cluster, "scaled", generation=None)
    await cluster.delete(path)
    await nothing_left(cluster, "scaled")


async def test_a_service_that_scales_comes_back_from_none(cluster: Running) -> None:
    path = f"{cluster.services_path}/woken"
    await cluster.create(cluster.services_path, service("woken", maxReplicas=2))
    await once(cluster, path, "has a pod ready", partial(has_pods, 1))
    for replicas in (0, 1):
        await cluster.patch(f"{path}/scale", {"spec": {"replicas": replicas}})
        await once(cluster, path, f"has {replicas} pods ready", partial(has_pods, replicas))
    await cluster.delete(path)
    await nothing_left(cluster, "woken")


async def test_a_predictor_that_kserve_cannot_read_is_told_in_a_condition(cluster: Running) -> None:
    path = f"{cluster.services_path}/strange"
    await cluster.create(cluster.services_path, service("strange", predictor={"foo": 1}))
    found = await once(cluster, path, "is refused", lambda found: "Ready" in conditions(found))
    assert conditions(found)["Ready"]["reason"] == "BackendRefused"
    assert ".spec.predictor.foo" in conditions(found)["Ready"]["message"]


def has_pods(replicas: int, found: Object) -> bool:
    status = found.get("status", {})
    observed = status.get("observedGeneration") == found["metadata"]["generation"]
    counted = (status.get("replicas", 0), status.get("readyReplicas", 0), len(status.get("placements", ())))
    return observed and counted == (replicas,) * 3 and is_true(found, "Ready")


async def test_a_foreign_service_of_that_name_is_left_alone(cluster: Running) -> None:
    await create_kserve(cluster, "taken")
    before = await once_serving(cluster, "taken")
    await cluster.create(cluster.services_path, service("taken", replicas=2))
    path = f"{cluster.services_path}/taken"
    found = await once(cluster, path, "is refused", lambda found: "Ready" in conditions(found))
    assert conditions(found)["Ready"]["reason"] == "NameTaken"
    assert (await cluster.get(kserve_path(cluster, "taken")))["spec"] == before["spec"]


async def test_why_a_service_waits_stands_on_it_beside_what_kserve_says(cluster: Running) -> None:
    await create_kserve(cluster, "large", model=TOO_LARGE)
    reasons = {MIRRORED: "TooLargeForAnyGPU", "Ready": "MinimumReplicasUnavailable"}
    found = await once(cluster, kserve_path(cluster, "large"), "says why", lambda found: has_reasons(found, reasons))
    assert "the largest GPU here has" in conditions(found)[MIRRORED]["message"]
    assert_untouched(found)
    await cluster.delete(kserve_path(cluster, "large"))
    await nothing_left(cluster, "large")


def has_reasons(found: Object, wanted: Mapping[str, str]) -> bool:
    told = conditions(found)
    return all(told.get(type_, {}).get("reason") == reason for type_, reason in wanted.items())


async def test_an_llm_service_takes_part_by_the_annotations_of_its_pods(cluster: Running) -> None:
    path = f"/apis/serving.kserve.io/v1alpha2/namespaces/{cluster.namespace}/llminferenceservices"
    container = {"name": "main", "image": "example.com/server:1", "resources": {"limits": {"amd.com/gpu": "1"}}}
    spec = {
        "model": {"uri": "hf://example/model", "name": "model"},
        "annotations": opt_in(),
        "template": {"containers": [container]},
    }
    kind = {"apiVersion": "serving.kserve.io/v1alpha2", "kind": "LLMInferenceService"}
    await cluster.create(path, {**kind, "metadata": {"name": "llm"}, "spec": spec})
    await once(cluster, f"{path}/llm", "is Ready", lambda found: is_true(found, "Ready"))
    held = [claim for claim in await cluster.claims() if claim["spec"]["podRef"]["name"].startswith("llm-")]
    assert [claim["status"]["phase"] for claim in held] == ["Allocated"]
    await cluster.delete(f"{path}/llm")


async def test_a_value_that_cannot_be_used_is_told_until_it_is_right(cluster: Running) -> None:
    await create_kserve(cluster, "wrong", precision="fp9")
    path = kserve_path(cluster, "wrong")
    found = await once(cluster, path, "is refused", lambda found: MIRRORED in conditions(found))
    told = conditions(found)[MIRRORED]
    assert (told["status"], told["reason"]) == ("False", "InvalidRequest")
    assert "aim.amd.com/precision: 'fp9'" in told["message"]
    assert await events_of(cluster, "wrong", "InvalidRequest")
    await cluster.patch(path, {"metadata": {"annotations": {"aim.amd.com/precision": "bf16"}}})
    await once_serving(cluster, "wrong")


async def test_a_misspelt_key_is_told_with_the_right_one_and_ready_stays(cluster: Running) -> None:
    await create_kserve(cluster, "slip", max_model_length="4096")
    found = await once(cluster, kserve_path(cluster, "slip"), "is Ready, and says so", runs_with_a_slip)
    assert_untouched(found)
    told = conditions(found)[MIRRORED]
    assert (told["status"], told["reason"]) == ("False", "MisspeltAnnotation")
    (event, *_) = await events_of(cluster, "slip", "MisspeltAnnotation")
    for text in (told["message"], event["note"]):
        assert "aim.amd.com/max-model-length: '4096'" in text
        assert "aim.amd.com/max-model-len?" in text


def runs_with_a_slip(found: Object) -> bool:
    return "1 of 1 pods" in conditions(found).get(MIRRORED, {}).get("message", "") and is_true(found, "Ready")


async def events_of(cluster: Running, name: str, reason: str) -> list[Object]:
    """Events about a service, waited for."""

    async def check() -> list[Object]:
        found = await cluster.items(f"/apis/events.k8s.io/v1/namespaces/{cluster.namespace}/events")
        return [event for event in found if event["regarding"]["name"] == name and event["reason"] == reason]

    found: list[Object] = await cluster.eventually(f"an Event {reason} about {name}", check)
    return found


async def test_an_annotation_that_changes_is_rolled_out_or_warned_of_and_waits_while_the_old_pod_serves(
    cluster: Running,
) -> None:
    """KServe's own service, which KServe rolls out whatever we say: beside the old pod, which goes last."""
    await create_kserve(cluster, "turns")
    await once_serving(cluster, "turns")
    path, history = kserve_path(cluster, "turns"), AllocationHistory(cluster, "turns")
    await history.begin()
    assert await annotated(cluster, path, max_model_len="2048") == ()

    async def rolled_out() -> bool:
        lengths = [
            pod["metadata"]["annotations"].get("aim.amd.com/max-model-len") for pod in await pods_of(cluster, "turns")
        ]
        return lengths == ["2048"] and len(await claims_of(cluster, "turns")) == 1

    await cluster.eventually("the new pod has taken the old one's place", rolled_out)
    await history.phase("beside")
    (before,) = await pods_of(cluster, "turns")

    (warning,) = await annotated(cluster, path, model_id=FOR_A_WHOLE_GPU)
    assert "new pods find no place" in warning
    assert "the old pods serve on" in warning

    async def waits() -> bool:
        reasons = [
            (claim.get("status", {}).get("explanation") or "")[:16] for claim in await claims_of(cluster, "turns")
        ]
        return sorted(map(bool, reasons)) == [False, True]

    await cluster.eventually("the new pod waits and says why", waits)
    assert is_true(await cluster.get(path), "Ready")
    assert await annotated(cluster, path, model_id=SMALL) == ()

    async def alone() -> bool:
        return [pod["metadata"]["uid"] for pod in await pods_of(cluster, "turns")] == [before["metadata"]["uid"]]

    await cluster.eventually("the pod that waited is gone, and the old one was never touched", alone)
    await history.phase("waits")
    for told in await history.counts():
        assert told == {"beside": [1, 2, 1], "waits": [1]}
    await cluster.delete(path)


async def annotated(cluster: Running, path: str, **wishes: str) -> tuple[str, ...]:
    """Change annotations as somebody with kubectl would; the warnings that he sees."""
    own = {f"aim.amd.com/{key.replace('_', '-')}": value for key, value in wishes.items()}
    patch = {"metadata": {"annotations": own}}
    answer = await asyncio.to_thread(Asker(cluster).send, "PATCH", path, patch, dry_run=False)
    assert answer.accepted, answer
    return answer.warnings


async def claims_of(cluster: Running, name: str) -> list[Object]:
    return [each for each in await cluster.claims() if each["spec"]["podRef"]["name"].startswith(f"{name}-predictor")]


async def test_stop_start_autoscaler_and_opt_out(cluster: Running) -> None:
    """One after the other on one service, while KServe's autoscaler takes its time with another."""
    await create_kserve(cluster, "grows", replicas=2, scales=True)
    await create_kserve(cluster, "stops")
    path = kserve_path(cluster, "stops")
    await once_serving(cluster, "stops")
    await cluster.patch(path, {"metadata": {"annotations": {STOP: "true"}}})
    stopped = {MIRRORED: "Stopped"}  # though KServe has emptied the status
    await once(cluster, path, "says that it is stopped", lambda found: has_reasons(found, stopped))
    await cluster.patch(path, {"metadata": {"annotations": {STOP: None}}})
    assert_untouched(await once_serving(cluster, "stops"))

    await cluster.patch(path, {"metadata": {"annotations": {"aim.amd.com/gpu-sharing": "false"}}})
    await once(cluster, path, "takes no part and is Ready", no_part)

    async def all_two() -> bool:
        pods = await pods_of(cluster, "grows")
        found = await cluster.get(kserve_path(cluster, "grows"))
        return len(pods) == 2 and "2 of 2" in conditions(found).get(MIRRORED, {}).get("message", "")

    await cluster.eventually("the autoscaler's second pod is allocated", all_two, 90.0)
    await assert_no_rollout(cluster, "grows", generation=None)


def no_part(found: Object) -> bool:
    return MIRRORED not in conditions(found) and is_true(found, "Ready")
