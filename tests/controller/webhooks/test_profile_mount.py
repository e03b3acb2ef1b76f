import re
from typing import Any

import pytest

from api.group import PROFILE_ID, SERVICE_LABEL
from controller.webhooks.pod_gate import PodGate
from controller.webhooks.profile_mount import ProfileMount
from tests.builders.inference_service import inference_service
from tests.builders.json_patch import apply_patch
from tests.builders.pod import OPTED_IN, container, template
from tests.controller.webhooks.ground import Ground

Pod = dict[str, Any]
GENERAL = "/workspace/aim-runtime/profiles/custom/general"
VOLUME = {"name": "aim-profiles", "configMap": {"name": "chat-aim-profiles"}}


def of_service(*containers: Pod, annotations: dict[str, str] | None = None, **spec: Any) -> Pod:
    made = template(*containers, annotations=OPTED_IN | (annotations or {}), **spec)
    made["metadata"]["labels"] = {SERVICE_LABEL: "chat"}
    return made


def gate(ground: Ground | None = None) -> PodGate:
    on = ground or Ground()
    return PodGate(lambda: "0123456789", profiles=ProfileMount(on.cluster, on.models))


def admit(pod: Pod, through: PodGate | None = None) -> Pod:
    patch = (through or gate()).mutate(pod, "team-a")
    assert isinstance(patch, list), patch
    return apply_patch(pod, patch)


def test_a_services_pod_has_its_profiles_where_aim_looks_and_reads_which_one() -> None:
    after = admit(of_service())
    (main,) = after["spec"]["containers"]
    assert after["spec"]["volumes"] == [VOLUME]
    assert main["volumeMounts"] == [{"name": "aim-profiles", "mountPath": GENERAL, "readOnly": True}]
    paths = {item["name"]: item["valueFrom"]["fieldRef"]["fieldPath"] for item in main["env"]}
    assert paths["AIM_PROFILE_ID"] == f"metadata.annotations['{PROFILE_ID}']"


def test_the_container_with_the_partition_has_them_and_no_other() -> None:
    after = admit(of_service(container("proxy"), container("kserve-container")))
    assert [len(each.get("volumeMounts", ())) for each in after["spec"]["containers"]] == [0, 1]


def named(pod: Pod) -> str:
    (volume,) = admit(pod)["spec"]["volumes"]
    name: str = volume["configMap"]["name"]
    return name


def test_an_annotated_pod_mounts_one_that_is_named_for_what_it_asks() -> None:
    after = admit(template())
    (main,), (volume,) = after["spec"]["containers"], after["spec"]["volumes"]
    assert re.fullmatch(r"aim-profiles-[0-9a-f]{20}", volume["configMap"]["name"])
    assert main["volumeMounts"][0]["mountPath"] == GENERAL
    assert "AIM_PROFILE_ID" in [item["name"] for item in main["env"]]
    assert named(template(container("other", image="b"))) == volume["configMap"]["name"]


def test_annotated_pods_that_ask_otherwise_mount_another() -> None:
    asked = [
        template(),
        template(container(env=[{"name": "AIM_MODEL_ID", "value": "acme/copy"}])),
        *(
            template(annotations=OPTED_IN | {f"aim.amd.com/{key}": value})
            for key, value in (("precision", "fp8"), ("max-model-len", "4096"), ("max-concurrency", "4096"))
        ),
        template(annotations=OPTED_IN | {"aim.amd.com/model-profile": "mine"}),
    ]
    assert len(set(map(named, asked))) == len(asked)


SHAPES = [
    pytest.param(of_service(), id="bare"),
    pytest.param(of_service(volumes=[{"name": "cache", "emptyDir": {}}]), id="with a volume"),
    pytest.param(
        of_service(
            container(volumeMounts=[{"name": "cache", "mountPath": "/cache"}], env=[{"name": "A", "value": "b"}])
        ),
        id="with a mount and a variable",
    ),
]


@pytest.mark.parametrize("pod", SHAPES)
def test_applied_twice_is_applied_once_and_what_was_there_stays(pod: Pod) -> None:
    through = gate()
    once = admit(pod, through)
    assert through.mutate(once, "team-a") == []
    assert once["spec"]["volumes"] == [*pod["spec"].get("volumes", ()), VOLUME]
    before, after = pod["spec"]["containers"][0], once["spec"]["containers"][0]
    for kind in ("env", "volumeMounts"):
        assert after[kind][: len(before.get(kind, ()))] == before.get(kind, [])


@pytest.mark.parametrize(
    "pod",
    [
        pytest.param(
            of_service(container(volumeMounts=[{"name": "own", "mountPath": f"{GENERAL}/"}])), id="their own profiles"
        ),
        pytest.param(of_service(volumes=[{"name": "aim-profiles", "emptyDir": {}}]), id="our volume's name"),
    ],
)
def test_who_brings_profiles_keeps_them(pod: Pod) -> None:
    after = admit(pod)
    assert after["spec"].get("volumes", []) == pod["spec"].get("volumes", [])
    assert "AIM_PROFILE_ID" not in [item["name"] for item in after["spec"]["containers"][0]["env"]]


def test_who_chose_a_profile_keeps_that_choice() -> None:
    mine = {"name": "AIM_PROFILE_ID", "value": "general/mine"}
    (main,) = admit(of_service(container(env=[mine])))["spec"]["containers"]
    assert [item for item in main["env"] if item["name"] == "AIM_PROFILE_ID"] == [mine]


@pytest.mark.parametrize(
    ("env", "want"),
    [
        pytest.param([], "/workspace/aim-runtime/profiles/custom", id="AIM's own copy is named in the profile"),
        pytest.param([{"name": "AIM_MODEL_ID", "value": "acme/copy"}], GENERAL, id="the container names its model"),
    ],
)
def test_where_aim_serves_the_precision_from_a_copy(env: list[Pod], want: str) -> None:
    service = inference_service(
        model={"id": "Qwen/Qwen3-32B", "precision": "fp8"}, predictor={"containers": [container(env=env)]}
    )
    asks = {"aim.amd.com/model-id": "Qwen/Qwen3-32B", "aim.amd.com/precision": "fp8"}
    known = Ground(services=[service.model_dump(mode="json", by_alias=True, exclude_none=True)])
    for ground in (known, Ground()):  # of a service made a moment ago the pod says the same
        (main,) = admit(of_service(container(env=env), annotations=asks), gate(ground))["spec"]["containers"]
        assert main["volumeMounts"][0]["mountPath"] == want


def test_a_model_that_nobody_knows_yet_may_have_profiles_later() -> None:
    (main,) = admit(of_service(annotations={"aim.amd.com/model-id": "acme/new"}))["spec"]["containers"]
    assert main["volumeMounts"][0]["mountPath"] == GENERAL
