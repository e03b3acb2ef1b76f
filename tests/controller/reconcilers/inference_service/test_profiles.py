"""The ConfigMap with a service's AIM profiles: what is in it, when it is written, and whose it is."""

from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest

from api.v1beta1 import GPUPartitionClaim, InferenceService
from controller.reconcilers.inference_service.profiles import ProfileDelivery
from controller.reconcilers.inference_service.status import Refusal
from controller.runtime.client.client import Client
from controller.runtime.client.configuration import ClientConfiguration
from controller.runtime.client.core import CONFIG_MAPS
from controller.sizing.catalog import Catalog
from controller.state.models import Models
from tests.builders.claim import bound_claim
from tests.builders.cluster import FedCluster
from tests.builders.gpu import gpu
from tests.builders.gpu_node import gpu_node
from tests.builders.inference_service import inference_service
from tests.builders.model_profile import MODEL, model_profile
from tests.fakes import faults
from tests.fakes.api_server import FakeApiServer

NAME = "team-a/chat-aim-profiles"
CPX = "vllm-mi300x-bf16-tp1-latency-cpx-nps4.yaml"


class Operator:
    """One life of the operator before a cluster of MI300X."""

    def __init__(self, api: FakeApiServer, client: Client) -> None:
        self.api = api
        self.fed = FedCluster()
        self.cluster = self.fed.cluster
        models = Models(Catalog.bundled())
        self.cluster.model_profiles.add_handler(models.take)
        self.fed.put(self.cluster.gpu_nodes, gpu_node())
        self.delivery = ProfileDelivery(client, self.cluster, models)

    async def deliver(self, service: InferenceService, *claims: dict[str, Any]) -> Refusal | None:
        """One look, with an informer that is up to date."""
        self.fed.listed(self.cluster.profile_maps, *self.api.objects(CONFIG_MAPS).values())
        held = [GPUPartitionClaim.model_validate(one) for one in claims]
        return await self.delivery.deliver("team-a/chat", service, held)

    @property
    def files(self) -> dict[str, str]:
        data: dict[str, str] = self.api.objects(CONFIG_MAPS)[NAME]["data"]
        return data


@pytest.fixture
async def operator() -> AsyncIterator[Operator]:
    async with FakeApiServer() as api, Client(ClientConfiguration(server=api.url)) as client:
        api.serve(CONFIG_MAPS)
        yield Operator(api, client)


async def test_it_has_the_profiles_of_every_mode_of_the_products_that_are_here(operator: Operator) -> None:
    assert await operator.deliver(inference_service()) is None
    assert CPX in operator.files
    assert {name.split("-")[1] for name in operator.files} == {"mi300x"}
    assert {name.removesuffix(".yaml").rsplit("-", 2)[1] for name in operator.files} == {"spx", "dpx", "qpx", "cpx"}
    (owner,) = operator.api.objects(CONFIG_MAPS)[NAME]["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["uid"]) == ("InferenceService", "uid-chat")
    assert operator.api.objects(CONFIG_MAPS)[NAME]["metadata"]["labels"]["aim.amd.com/profiles"] == "service"


async def test_pods_that_wait_for_it_can_tell_that_it_is_there(operator: Operator) -> None:
    maps = operator.cluster.written_maps
    await operator.deliver(inference_service())
    assert not maps.has(NAME, CPX), "the informer has not shown it yet"
    await operator.deliver(inference_service())
    assert (maps.has(NAME, CPX), maps.has(NAME, "another.yaml")) == (True, False)


async def test_before_any_product_is_known_it_has_those_of_all(operator: Operator) -> None:
    operator.fed.drop(operator.cluster.gpu_nodes, gpu_node())
    await operator.deliver(inference_service())
    assert {"mi300x", "mi325x", "mi355x"} <= {name.split("-")[1] for name in operator.files}


async def test_it_is_written_once_as_long_as_nothing_changes(operator: Operator) -> None:
    for _ in range(3):
        await operator.deliver(inference_service())
    assert len(operator.api.seen) == 2  # a look and a write


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda one: one.api.remove(CONFIG_MAPS, NAME), id="somebody deleted it"),
        pytest.param(
            lambda one: one.api.put(CONFIG_MAPS, one.api.objects(CONFIG_MAPS)[NAME] | {"data": {}}), id="or emptied it"
        ),
        pytest.param(
            lambda one: one.fed.put(one.cluster.gpu_nodes, gpu_node("b", gpu(product="MI325X"))), id="another product"
        ),
        pytest.param(
            lambda one: one.fed.put(one.cluster.model_profiles, model_profile(model_id="Qwen/Qwen3-4B")),
            id="a ModelProfile for the model",
        ),
    ],
)
async def test_it_follows(operator: Operator, change: Any) -> None:
    await operator.deliver(inference_service())
    change(operator)
    await operator.deliver(inference_service())
    assert operator.api.count("PATCH") == 2
    assert CPX in operator.files


async def test_a_new_precision_leaves_the_files_that_pods_were_told_of(operator: Operator) -> None:
    held = bound_claim()
    held["status"]["allocation"]["profile"] = f"custom/general/{CPX.removesuffix('.yaml')}"
    await operator.deliver(inference_service(), held)
    await operator.deliver(inference_service(model={"precision": "fp8"}), held)
    applied = orjson.loads(operator.api.seen[-1].body)["data"]  # the fake merges, and would drop nothing
    assert [name for name in applied if "-bf16-" in name] == [CPX]
    assert CPX.replace("bf16", "fp8") in applied


async def test_a_service_with_a_profile_is_sized_by_it(operator: Operator) -> None:
    operator.fed.put(operator.cluster.model_profiles, model_profile("huge", overrides={"weightsBytes": 100 << 30}))
    await operator.deliver(inference_service(model={"profileRef": "huge"}))
    assert CPX not in operator.files
    assert "vllm-mi300x-bf16-tp1-latency-spx-nps1.yaml" in operator.files


@pytest.mark.parametrize(
    "model",
    [
        pytest.param({"id": MODEL}, id="nobody knows it"),
        pytest.param({"id": "deepseek-ai/DeepSeek-R1"}, id="too large"),
    ],
)
async def test_a_model_without_profiles_gets_an_empty_one_which_its_pods_mount(
    operator: Operator, model: dict[str, str]
) -> None:
    assert await operator.deliver(inference_service(model=model)) is None
    assert operator.files == {}


async def test_a_model_that_nobody_knows_any_more_leaves_what_there_is(operator: Operator) -> None:
    await operator.deliver(inference_service())
    await operator.deliver(inference_service(model={"id": MODEL}))
    assert CPX in operator.files


async def test_somebody_elses_config_map_is_left_alone(operator: Operator) -> None:
    operator.api.put(
        CONFIG_MAPS, {"metadata": {"namespace": "team-a", "name": "chat-aim-profiles"}, "data": {"a": "b"}}
    )
    refusal = await operator.deliver(inference_service())
    assert refusal is not None
    assert (refusal.reason, operator.files) == ("NameTaken", {"a": "b"})
    assert "team-a/chat-aim-profiles" in refusal.message


async def test_a_refused_write_is_told_and_tried_again(operator: Operator) -> None:
    operator.api.play(faults.refusal(403, "Forbidden", "exceeded quota"), on="PATCH")
    refusal = await operator.deliver(inference_service())
    assert refusal == Refusal("BackendRefused", "ConfigMap: exceeded quota")
    assert await operator.deliver(inference_service()) is None
    assert CPX in operator.files
