"""A gate opens when the ConfigMap that the pod mounts has the profile that it is to start with, and says why not."""

from typing import Any

import pytest

from api.group import ENGINE_ARGS, PROFILE_ID, SERVICE_LABEL
from api.object import dump
from controller.reconcilers.gpu_partition_claim import triggers
from controller.reconcilers.gpu_partition_claim.profile_wait import PATIENCE_SECONDS
from controller.runtime.cache.store import EventType, StoreEvent
from controller.runtime.client.core import PODS, RESOURCE_CLAIMS
from controller.runtime.reconcile import Request
from controller.sizing.requirement import SizingRequest
from controller.state.kinds import GPU_PARTITION_CLAIMS
from controller.state.profile_maps import Refused
from controller.translate.pod_profiles import pods_map
from controller.translate.request import PodRequest
from tests.builders.inference_service import inference_service
from tests.builders.pod import pod
from tests.controller.reconcilers.gpu_partition_claim.api import InMemoryApi
from tests.controller.reconcilers.gpu_partition_claim.conftest import SMALL
from tests.controller.reconcilers.gpu_partition_claim.flow import Operator
from tests.fakes.clock import FakeClock

NAME = pods_map(PodRequest(SizingRequest("Qwen/Qwen3-4B"), frozenset(), None), names_model=False)
KEY = f"team-a/{NAME}"
CPX = "vllm-mi300x-bf16-tp1-latency-cpx-nps4"
OF_SERVICE = {"labels": {SERVICE_LABEL: "chat"}}


def mounting(config_map: str = NAME, **fields: Any) -> dict[str, Any]:
    volumes = [{"name": "aim-profiles", "configMap": {"name": config_map}}]
    given: dict[str, Any] = {"annotations": SMALL} | fields
    return pod(volumes=volumes, **given)


def written(operator: Operator, name: str = NAME, *files: str) -> None:
    metadata = {"namespace": "team-a", "name": name, "uid": "u", "resourceVersion": "7"}
    operator.fed.listed(operator.cluster.profile_maps, {"metadata": metadata})
    operator.cluster.written_maps.wrote(f"team-a/{name}", "7", files, ["rs"])


def gated(api: InMemoryApi) -> bool:
    (found,) = api.of(PODS)
    return bool(found["spec"].get("schedulingGates"))


def bound_condition(api: InMemoryApi) -> dict[str, Any]:
    (claim,) = api.of(GPU_PARTITION_CLAIMS)
    found: dict[str, Any] = next(one for one in claim["status"]["conditions"] if one["type"] == "Bound")
    return found


async def rounds(operator: Operator, number: int = 3) -> None:
    for _ in range(number):
        await operator.round()


async def test_an_annotated_pod_is_told_its_profile_once_its_config_map_has_it(
    api: InMemoryApi, operator: Operator
) -> None:
    api.put(PODS, mounting())
    await rounds(operator)
    assert (gated(api), bound_condition(api)["status"]) == (True, "True"), "its place is kept for it"
    written(operator, NAME, f"{CPX}.yaml")
    await rounds(operator, 1)
    (found,), (claim,) = api.of(PODS), api.of(GPU_PARTITION_CLAIMS)
    assert not gated(api)
    assert found["metadata"]["annotations"][PROFILE_ID] == f"custom/general/{CPX}"
    assert claim["status"]["allocation"]["profile"] == f"custom/general/{CPX}"


@pytest.mark.parametrize(
    ("name", "metadata"),
    [pytest.param(NAME, {}, id="annotated"), pytest.param("chat-aim-profiles", OF_SERVICE, id="of a service of ours")],
)
async def test_on_a_product_whose_profiles_are_not_written_yet_it_waits_and_says_so_after_a_while(
    api: InMemoryApi, operator: Operator, clock: FakeClock, name: str, metadata: dict[str, Any]
) -> None:
    operator.fed.put(operator.cluster.services, dump(inference_service()))
    api.put(PODS, mounting(name, metadata=metadata))
    written(operator, name, f"{CPX.replace('mi300x', 'mi325x')}.yaml")
    await rounds(operator)
    assert (gated(api), bound_condition(api)["status"]) == (True, "True")
    clock.tick(PATIENCE_SECONDS + 1)
    operator.show()
    await operator.reconcile()
    told = bound_condition(api)
    assert (told["status"], told["reason"]) == ("False", "ProfilesNotWritten")
    assert f"team-a/{name}" in told["message"]
    assert f"{CPX}.yaml" in told["message"]
    written(operator, name, f"{CPX}.yaml")
    await rounds(operator)
    assert not gated(api)


async def test_one_that_cannot_be_written_is_told_and_no_place_is_held(api: InMemoryApi, operator: Operator) -> None:
    api.put(PODS, mounting())
    await rounds(operator)
    operator.cluster.written_maps.refuse(KEY, Refused("NameTaken", "delete it"))
    await rounds(operator)
    (claim,), told = api.of(GPU_PARTITION_CLAIMS), bound_condition(api)
    assert (gated(api), claim["status"]["phase"], claim["status"].get("allocation")) == (True, "Pending", None)
    assert (told["reason"], told["message"]) == ("NameTaken", "delete it")
    writes = len(api.writes)
    await rounds(operator)
    assert len([one for one in api.writes[writes:] if RESOURCE_CLAIMS.plural not in one]) == 0, "nothing goes on"
    written(operator, NAME, f"{CPX}.yaml")
    await rounds(operator)
    assert not gated(api)


@pytest.mark.parametrize(
    ("file", "held"),
    [pytest.param(f"{CPX}.yaml", False, id="its own is there"), pytest.param("other.yaml", True, id="it is not")],
)
async def test_when_only_the_last_write_was_refused_pods_start_whose_file_is_there(
    api: InMemoryApi, operator: Operator, clock: FakeClock, file: str, held: bool
) -> None:
    api.put(PODS, mounting())
    written(operator, NAME, file)
    operator.cluster.written_maps.refuse(KEY, Refused("BackendRefused", "no more"))
    await rounds(operator)
    assert (gated(api), bound_condition(api)["status"]) == (held, "True")
    clock.tick(PATIENCE_SECONDS + 1)
    operator.show()
    await operator.reconcile()
    assert bound_condition(api)["reason"] == ("BackendRefused" if held else "PartitionChosen")


async def test_the_label_of_a_service_that_is_not_there_is_told(api: InMemoryApi, operator: Operator) -> None:
    api.put(PODS, mounting("chat-aim-profiles", metadata=OF_SERVICE))
    await rounds(operator)
    told = bound_condition(api)
    assert (gated(api), told["reason"]) == (True, "ProfilesNotWritten")
    assert "InferenceService chat" in told["message"]


async def test_a_pod_that_asks_otherwise_by_now_has_no_profile_and_full_arguments(
    api: InMemoryApi, operator: Operator
) -> None:
    api.put(PODS, mounting(annotations=SMALL | {"aim.amd.com/max-model-len": "4096"}))
    written(operator)
    await rounds(operator)
    (found,) = api.of(PODS)
    assert (gated(api), found["metadata"]["annotations"].get(PROFILE_ID)) == (False, None)
    assert '"max-model-len":4096' in found["metadata"]["annotations"][ENGINE_ARGS]


async def test_a_config_map_of_somebody_elses_is_not_waited_for(api: InMemoryApi, operator: Operator) -> None:
    api.put(PODS, mounting("settings"))
    await rounds(operator)
    assert not gated(api)


def test_a_config_map_wakes_the_claims_of_held_pods_that_mount_it(operator: Operator) -> None:
    operator.fed.put(operator.cluster.pods, mounting())
    operator.fed.put(operator.cluster.pods, mounting(name="let-go", gates=(), claim="aim-b"))
    event: StoreEvent[Any] = StoreEvent(EventType.ADDED, KEY, None, None)
    assert list(triggers.claims_of_map(operator.cluster.pods)(event)) == [(Request("team-a", "aim-a"), triggers.HELD)]
