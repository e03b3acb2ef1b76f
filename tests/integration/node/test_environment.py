"""What a container reads of the partition that its pod was bound to: always all of it, and again at each restart."""

import json

import pytest

from controller.binding.dra import Pin, PinnedDevice, resource_claim
from controller.gpu.mode import Mode
from e2e.run.processes import OPERATOR
from tests.integration.node.agent import AIM, DRA, TELLS, environment, run
from tests.integration.node.operated import Operated, asking, device_text, paused
from tests.integration.node.workloads import Object, container, create, is_ready
from tests.integration.operator.running import SMALL

pytestmark = [
    pytest.mark.plane,
    pytest.mark.needs_kubelet,
    pytest.mark.xdist_group("real nodes"),
    pytest.mark.timeout(300),
]

PODS = 8
PROFILES = "/workspace/aim-runtime/profiles"
SHOWS_PROFILES = f'for file in {PROFILES}/custom/general/*.yaml; do echo "$file=here"; done'
ASSIGNED_PARTITION = "aim.amd.com/assigned-partition"
LET_GO = {"spec": {"schedulingGates": None}}


def conditions(obj: Object) -> dict[str, tuple[str, str]]:
    told = obj.get("status", {}).get("conditions", ())
    return {one["type"]: (one["status"], one.get("reason", "")) for one in told}


def restarts(operated: Operated, path: str) -> int:
    statuses = operated.plane.admin.get(path)["status"].get("containerStatuses") or [{}]
    return int(statuses[0].get("restartCount", 0))


def test_every_container_reads_the_partition_that_its_pod_was_bound_to(operated: Operated, node_namespace: str) -> None:
    names = [f"llm-{number}" for number in range(PODS)]
    script = f"{SHOWS_PROFILES}; {TELLS}"
    paths = [create(operated.plane, node_namespace, asking(name, script)) for name in names]

    told = [environment(operated.agent, path) for path in paths]

    for name, read in zip(names, told, strict=True):
        claim = operated.allocated(node_namespace, name)
        assert read["AIM_GPU_PARTITION"] == read["AIM_GPU_DEVICES"] == device_text(claim)
        arguments = json.loads(read["AIM_ENGINE_ARGS"])
        assert arguments["max-model-len"] == claim["spec"]["model"]["maxModelLen"]
        assert read["AIM_PROFILE_ID"] == claim["status"]["allocation"]["profile"]
        assert read[f"{PROFILES}/{read['AIM_PROFILE_ID']}.yaml"] == "here"
    assert len({read["AIM_GPU_PARTITION"] for read in told}) == PODS
    done = [entry for entry in operated.audited(node_namespace, "patch") if entry["responseStatus"]["code"] == 200]
    assert (
        sorted(entry["objectRef"]["name"] for entry in done) == names
    )  # one patch each, and none to a pod that may have started


def test_a_services_container_finds_the_profile_that_it_is_told_of(operated: Operated, node_namespace: str) -> None:
    engine = container(f"{SHOWS_PROFILES}; {TELLS}", name="kserve-container")
    spec = {"model": {"id": SMALL}, "predictor": {"containers": [engine], "terminationGracePeriodSeconds": 1}}
    service = {
        "apiVersion": "aim.amd.com/v1beta1",
        "kind": "InferenceService",
        "metadata": {"name": "chat"},
        "spec": spec,
    }
    operated.plane.admin.create(f"{AIM}/namespaces/{node_namespace}/inferenceservices", service)
    pods = f"/api/v1/namespaces/{node_namespace}/pods"
    operated.agent.eventually(lambda: len(operated.plane.admin.get(pods)["items"]) == 1, "the service has its pod")
    (made,) = operated.plane.admin.get(pods)["items"]

    told = environment(operated.agent, f"{pods}/{made['metadata']['name']}")

    claim = operated.allocated(node_namespace, made["metadata"]["name"])
    assert told["AIM_PROFILE_ID"] == claim["status"]["allocation"]["profile"]
    assert told["AIM_PROFILE_ID"].endswith("-cpx-nps1")
    assert told[f"{PROFILES}/{told['AIM_PROFILE_ID']}.yaml"] == "here"


def test_a_restarted_container_reads_what_the_annotation_says_by_then(operated: Operated, node_namespace: str) -> None:
    """The container ends while a file of its pod says something else than it was started with.

    The kubelet writes that file before its next look at the pod's containers, so a container that is started again in
    between has the old value once more.
    """
    ends = 'while [ "$AIM_GPU_PARTITION" = "$(cat /told/partition)" ]; do sleep 0.2; done; sleep 1'
    obj = asking("llm", f"{TELLS.rpartition(';')[0]}; {ends}", volumeMounts=[{"name": "told", "mountPath": "/told"}])
    field = {"path": "partition", "fieldRef": {"fieldPath": f"metadata.annotations['{ASSIGNED_PARTITION}']"}}
    obj["spec"]["volumes"] = [{"name": "told", "downwardAPI": {"items": [field]}}]
    path = run(operated.agent, node_namespace, obj)
    before = environment(operated.agent, path)
    changed = before | {"AIM_GPU_PARTITION": "by hand"}
    assert restarts(operated, path) == 0

    operated.plane.admin.acting_as(OPERATOR).patch(path, {"metadata": {"annotations": {ASSIGNED_PARTITION: "by hand"}}})

    operated.agent.eventually(lambda: restarts(operated, path) >= 1, "the container is started again")
    operated.agent.eventually(lambda: environment(operated.agent, path) == changed, "it reads the change")
    _, ended = operated.plane.admin.raw("GET", f"{path}/log?previous=true")
    assert f"AIM_GPU_PARTITION={before['AIM_GPU_PARTITION']}\n" in ended.decode()
    assert restarts(operated, path) in (1, 2)


def test_a_container_that_ran_out_of_memory_comes_back_to_the_same_partition(
    operated: Operated, node_namespace: str
) -> None:
    eats = "exec dd if=/dev/zero of=/dev/null bs=256M"
    script = f"env | grep AIM_; [ -e /kept/again ] || {{ touch /kept/again; {eats}; }}; {TELLS}"
    greedy = asking(
        "greedy",
        script,
        resources={"limits": {"memory": "32Mi"}},
        volumeMounts=[{"name": "kept", "mountPath": "/kept"}],
    )
    greedy["spec"]["volumes"] = [{"name": "kept", "emptyDir": {}}]
    path = create(operated.plane, node_namespace, greedy)

    operated.agent.eventually(lambda: restarts(operated, path) == 1, "the container is started again")
    operated.agent.eventually(lambda: is_ready(operated.plane, path), "the pod is Ready")

    (status,) = operated.plane.admin.get(path)["status"]["containerStatuses"]
    ended = status["lastState"]["terminated"]
    assert (ended["reason"], ended["exitCode"]) == ("OOMKilled", 137)
    claim = operated.allocated(node_namespace, "greedy")
    assert environment(operated.agent, path)["AIM_GPU_PARTITION"] == device_text(claim)
    _, before = operated.plane.admin.raw("GET", f"{path}/log?previous=true")
    assert f"AIM_GPU_PARTITION={device_text(claim)}" in before.decode()
    assert claim["status"].get("rebinds", 0) == 0


def waiting(operated: Operated, namespace: str, name: str) -> str:
    """A pod that waits for its partition, as the node is paused; its path."""
    path = create(operated.plane, namespace, asking(name, TELLS))
    operated.agent.eventually(lambda: bound(operated, namespace, name) == ("False", "NoPartitionFits"), "it waits")
    return path


def bound(operated: Operated, namespace: str, name: str) -> tuple[str, str] | None:
    return conditions(operated.claim_of(namespace, name)).get("Bound")


def test_a_pod_whose_gate_somebody_else_removed_does_not_start(operated: Operated, node_namespace: str) -> None:
    with paused(operated):
        path = waiting(operated, node_namespace, "early")
        operated.plane.admin.acting_as(OPERATOR).patch(path, LET_GO)

        operated.agent.eventually(
            lambda: bound(operated, node_namespace, "early") == ("False", "GateRemoved"), "the claim says what happened"
        )
    run(operated.agent, node_namespace, asking("later", TELLS))  # whoever came after it has passed
    pod = operated.plane.admin.get(path)
    assert "nodeName" not in pod["spec"]
    (reference,) = pod["spec"]["resourceClaims"]
    name = reference["resourceClaimName"]
    assert operated.plane.admin.find(f"{DRA}/namespaces/{node_namespace}/resourceclaims/{name}") is None


@pytest.mark.asyncio(loop_scope="module")
async def test_a_container_that_was_let_go_without_its_values_is_told_of(
    operated: Operated, node_namespace: str
) -> None:
    """Somebody does the operator's work by hand while it is away, and forgets the annotations."""
    with paused(operated):
        path = waiting(operated, node_namespace, "llm")
        await operated.operator.kill()
    pod = operated.plane.admin.get(path)
    name = pod["spec"]["resourceClaims"][0]["resourceClaimName"]
    by_hand = resource_claim(name, node_namespace, "llm", pod["metadata"]["uid"], last_device(operated), {})
    as_operator = operated.plane.admin.acting_as(OPERATOR)
    as_operator.create(f"{DRA}/namespaces/{node_namespace}/resourceclaims", by_hand)
    as_operator.patch(path, LET_GO)

    assert environment(operated.agent, path)["AIM_GPU_PARTITION"] == ""  # which nobody but us calls an error
    await operated.operator.start()

    operated.agent.eventually(
        lambda: conditions(operated.claim_of(node_namespace, "llm")).get("Unassigned") == ("True", "GateRemoved"),
        "the claim says that the container was told nothing",
    )
    assert operated.claim_of(node_namespace, "llm")["status"]["phase"] == "Allocated"


def last_device(operated: Operated) -> Pin:
    """The partition that placement gives last."""
    gpu = operated.agent.status()["gpus"][-1]
    partition = gpu["partitions"][-1]
    profile = Mode.parse(gpu["mode"]).profile
    return Pin("real-1", "real-1", (PinnedDevice(partition["device"], partition["renderIndex"]),), profile)
