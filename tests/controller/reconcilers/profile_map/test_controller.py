"""The ConfigMap that annotated pods share: when it is made, what is in it, whose it is, and what is left alone."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import orjson
import pytest

from controller.profiles.selection import TooLarge
from controller.reconcilers.profile_map import controller as module
from controller.reconcilers.profile_map.controller import TRY_AGAIN_SECONDS, ProfileMapReconciler
from controller.runtime.client.client import Client
from controller.runtime.client.configuration import ClientConfiguration
from controller.runtime.client.core import CONFIG_MAPS
from controller.runtime.reconcile import Request, Result
from controller.sizing.catalog import Catalog
from controller.sizing.requirement import SizingRequest
from controller.state.models import Models
from controller.translate.pod_profiles import pods_map
from controller.translate.request import PodRequest
from tests.builders.claim import bound_claim
from tests.builders.cluster import FedCluster
from tests.builders.gpu import gpu
from tests.builders.gpu_node import gpu_node
from tests.builders.model_profile import model_profile
from tests.builders.pod import OPTED_IN, pod
from tests.fakes import faults
from tests.fakes.api_server import FakeApiServer

Object = dict[str, Any]
MODEL = "Qwen/Qwen3-4B"
ASKS = OPTED_IN | {"aim.amd.com/model-id": MODEL}
NAME = pods_map(PodRequest(SizingRequest(MODEL), frozenset(), None), names_model=False)
KEY = f"team-a/{NAME}"
MOUNTS = [{"name": "aim-profiles", "configMap": {"name": NAME}}]
CPX = "vllm-mi300x-bf16-tp1-latency-cpx-nps4.yaml"


def user(name: str = "a", **fields: Any) -> Object:
    """A held pod of a ReplicaSet."""
    made_by = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "chat", "uid": "rs", "controller": True}
    given: dict[str, Any] = {"metadata": {"ownerReferences": [made_by]}, "annotations": ASKS} | fields
    return pod(name, volumes=MOUNTS, claim=f"aim-{name}", **given)


class Operator:
    """One life of the operator before a cluster of MI300X."""

    def __init__(self, api: FakeApiServer, client: Client) -> None:
        self.api = api
        self.fed = FedCluster()
        self.cluster = self.fed.cluster
        models = Models(Catalog.bundled())
        self.cluster.model_profiles.add_handler(models.take)
        self.fed.put(self.cluster.gpu_nodes, gpu_node())
        self.reconciler = ProfileMapReconciler(client, self.cluster, models)

    async def look(self, name: str = NAME) -> Result:
        """One look, with an informer that is up to date before and afterwards."""
        self.show()
        result = await self.reconciler.reconcile(Request("team-a", name))
        self.show()
        return result

    def show(self) -> None:
        self.fed.listed(self.cluster.profile_maps, *self.api.objects(CONFIG_MAPS).values())

    def has(self, *pods: Object) -> None:
        self.fed.listed(self.cluster.pods, *pods)

    @property
    def stored(self) -> Object:
        return self.api.objects(CONFIG_MAPS)[KEY]

    @property
    def files(self) -> dict[str, str]:
        data: dict[str, str] = self.stored["data"]
        return data


@pytest.fixture
async def operator() -> AsyncIterator[Operator]:
    async with FakeApiServer() as api, Client(ClientConfiguration(server=api.url)) as client:
        api.serve(CONFIG_MAPS)
        made = Operator(api, client)
        made.has(user())
        yield made


async def test_it_has_the_profiles_of_every_mode_that_is_here_and_belongs_to_who_made_the_pods(
    operator: Operator,
) -> None:
    assert await operator.look() == Result()
    assert {name.removesuffix(".yaml").rsplit("-", 2)[1] for name in operator.files} == {"spx", "dpx", "qpx", "cpx"}
    assert operator.cluster.written_maps.has(KEY, CPX)
    metadata = operator.stored["metadata"]
    assert metadata["ownerReferences"] == [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "chat", "uid": "rs"}]
    assert metadata["labels"] == {"aim.amd.com/profiles": "pods"}
    assert metadata["annotations"]["aim.amd.com/model-id"] == MODEL


async def test_pods_that_ask_alike_share_it_and_another_owner_joins(operator: Operator) -> None:
    operator.has(*(user(f"p{number}") for number in range(20)))
    for _ in range(3):
        await operator.look()
    assert len(operator.api.seen) == 2, "a look and a write"
    operator.has(user(), user("bare", metadata={}))
    await operator.look()
    assert [owner["uid"] for owner in operator.stored["metadata"]["ownerReferences"]] == ["rs", "uid-bare"]


@pytest.mark.parametrize(
    "pods",
    [
        pytest.param([], id="no pod"),
        pytest.param([user(phase="Succeeded")], id="one that has ended"),
        pytest.param([user(metadata={"deletionTimestamp": "2026-01-01T00:00:00Z"})], id="one that goes"),
    ],
)
async def test_without_pods_it_is_the_garbage_collectors(operator: Operator, pods: list[Object]) -> None:
    operator.has(*pods)
    assert await operator.look() == Result()
    assert not operator.api.seen


async def test_names_that_are_not_ours_are_not_looked_at(operator: Operator) -> None:
    operator.has(pod(volumes=[{"name": "aim-profiles", "configMap": {"name": "settings"}}]))
    await operator.look("settings")
    assert not operator.api.seen


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda one: one.api.remove(CONFIG_MAPS, KEY), id="somebody deleted it"),
        pytest.param(lambda one: one.api.put(CONFIG_MAPS, one.stored | {"data": {}}), id="or emptied it"),
        pytest.param(
            lambda one: one.fed.put(one.cluster.gpu_nodes, gpu_node("b", gpu(product="MI325X"))), id="another product"
        ),
        pytest.param(
            lambda one: one.fed.put(one.cluster.model_profiles, model_profile(model_id=MODEL)),
            id="a ModelProfile for the model",
        ),
    ],
)
async def test_it_follows(operator: Operator, change: Callable[[Operator], None]) -> None:
    await operator.look()
    change(operator)
    await operator.look()
    assert operator.api.count("PATCH") == 2
    assert operator.cluster.written_maps.has(KEY, CPX.replace("cpx-nps4", "spx-nps1"))


async def test_a_product_that_has_come_has_no_files_before_they_are_written(operator: Operator) -> None:
    await operator.look()
    operator.fed.put(operator.cluster.gpu_nodes, gpu_node("b", gpu(product="MI325X")))
    other = CPX.replace("mi300x", "mi325x")
    assert not operator.cluster.written_maps.has(KEY, other)
    await operator.look()
    assert operator.cluster.written_maps.has(KEY, other)


async def test_somebody_elses_of_that_name_is_left_alone_and_that_is_told(operator: Operator) -> None:
    operator.api.put(CONFIG_MAPS, {"metadata": {"namespace": "team-a", "name": NAME}, "data": {"a": "b"}})
    assert await operator.look() == Result(requeue_after=TRY_AGAIN_SECONDS)
    refused = operator.cluster.written_maps.refusal(KEY)
    assert refused is not None
    assert (refused.reason, operator.files) == ("NameTaken", {"a": "b"})
    assert KEY in refused.message
    operator.api.remove(CONFIG_MAPS, KEY)
    assert await operator.look() == Result()
    assert operator.cluster.written_maps.refusal(KEY) is None


async def test_a_file_that_was_slipped_in_beside_ours_is_no_profile_of_ours(operator: Operator) -> None:
    await operator.look()
    operator.api.put(CONFIG_MAPS, operator.stored | {"data": operator.files | {"theirs.yaml": "x", CPX: "y"}})
    await operator.look()
    assert operator.files[CPX] != "y"
    assert not operator.cluster.written_maps.has(KEY, "theirs.yaml")


async def test_a_refused_write_is_told_and_tried_again(operator: Operator) -> None:
    operator.api.play(faults.refusal(403, "Forbidden", "exceeded quota"), on="PATCH")
    assert await operator.look() == Result(requeue_after=TRY_AGAIN_SECONDS)
    refused = operator.cluster.written_maps.refusal(KEY)
    assert refused is not None
    assert refused.message == "ConfigMap: exceeded quota"
    await operator.look()
    assert operator.cluster.written_maps.has(KEY, CPX)


async def test_a_refused_change_is_tried_until_it_is_made(operator: Operator) -> None:
    await operator.look()
    operator.fed.put(operator.cluster.gpu_nodes, gpu_node("b", gpu(product="MI325X")))
    operator.api.play(faults.refusal(403, "Forbidden", "no"), on="PATCH")
    for want in (Result(requeue_after=TRY_AGAIN_SECONDS), Result()):
        assert operator.cluster.written_maps.has(KEY, CPX)
        assert await operator.look() == want
    assert operator.cluster.written_maps.has(KEY, CPX.replace("mi300x", "mi325x"))


async def test_more_than_a_config_map_holds_is_told(operator: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    def too_large(*_: object) -> None:
        raise TooLarge("80 profiles have too many bytes")

    monkeypatch.setattr(module, "files_for", too_large)
    assert await operator.look() == Result(requeue_after=TRY_AGAIN_SECONDS)
    refused = operator.cluster.written_maps.refusal(KEY)
    assert refused is not None
    assert (refused.reason, refused.message) == ("ProfilesTooLarge", "80 profiles have too many bytes")


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param({"aim.amd.com/model-id": "Qwen/Qwen3-8B"}, id="another model"),
        pytest.param({"aim.amd.com/precision": "fp9"}, id="a value that nobody understands"),
    ],
)
async def test_of_a_pod_that_asks_otherwise_by_now_it_is_there_and_empty(
    operator: Operator, changed: dict[str, str]
) -> None:
    operator.has(user(annotations=ASKS | changed))
    await operator.look()
    assert operator.files == {}
    operator.has(user(annotations=ASKS | changed), user("b"))
    await operator.look()
    assert CPX in operator.files, "another pod still says what it is for"


async def test_files_that_pods_were_told_of_stay_when_the_facts_change(operator: Operator) -> None:
    held = bound_claim("aim-a")
    held["status"]["allocation"]["profile"] = f"custom/general/{CPX.removesuffix('.yaml')}"
    operator.fed.put(operator.cluster.claims, held)
    await operator.look()
    grown = model_profile(model_id=MODEL, overrides={"weightsBytes": 100 << 30})
    operator.fed.put(operator.cluster.model_profiles, grown)
    await operator.look()
    applied = orjson.loads(operator.api.seen[-1].body)["data"]  # the fake merges, and would drop nothing
    assert [name for name in applied if "-cpx-" in name] == [CPX]
