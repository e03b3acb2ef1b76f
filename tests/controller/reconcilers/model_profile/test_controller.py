from typing import Any, cast

import pytest

from controller.reconcilers.model_profile.controller import SOON_SECONDS, ModelProfileReconciler
from controller.reconcilers.model_profile.triggers import profiles_of_profile
from controller.runtime.cache.store import EventType, StoreEvent
from controller.runtime.client.client import Client
from controller.runtime.client.errors import ApiError, Conflict, NotFound
from controller.runtime.reconcile import Request, Result, TerminalError
from controller.sizing.catalog import Catalog
from controller.sizing.precision import Precision
from controller.sizing.requirement import ModelSizingConfig, SizingRequest
from controller.state.kinds import MODEL_PROFILES
from controller.state.models import Models
from tests.builders.cluster import FedCluster
from tests.builders.model_profile import MODEL, model_profile
from tests.controller.reconcilers.gpu_partition_claim.api import InMemoryApi, refusing
from tests.fakes.clock import FakeClock


class Operator:
    """An operator before stored ModelProfiles."""

    def __init__(self, *profiles: dict[str, Any]) -> None:
        self.api = InMemoryApi()
        self.fed = FedCluster(FakeClock())
        models = Models(Catalog.bundled())
        self.cluster = self.fed.cluster
        self.cluster.model_profiles.add_handler(models.take)
        client = cast("Client", self.api)
        self.reconciler = ModelProfileReconciler(client, self.cluster, models, self.fed.clock)
        for profile in profiles:
            self.api.put(MODEL_PROFILES, profile)

    async def look(self, name: str = "chat-8b") -> Result:
        self.fed.listed(self.cluster.model_profiles, *self.api.of(MODEL_PROFILES))
        return await self.reconciler.reconcile(Request("", name))

    def status(self, name: str = "chat-8b") -> dict[str, Any]:
        (found,) = [one for one in self.api.of(MODEL_PROFILES) if one["metadata"]["name"] == name]
        status: dict[str, Any] = found["status"]
        return status

    def condition(self, type_: str, name: str = "chat-8b") -> tuple[str, str, str]:
        found = {one["type"]: one for one in self.status(name)["conditions"]}[type_]
        return found["status"], found["reason"], found["message"]


async def test_sizes_by_precision_are_written_once() -> None:
    operator = Operator(model_profile(precisions=["fp8", "bf16", "int4"]))
    for _ in range(3):
        assert await operator.look() == Result()
    assert operator.api.writes == ["replace modelprofiles"]
    catalogue = ModelSizingConfig(Catalog.bundled())
    want = {
        precision: catalogue.size(SizingRequest("Qwen/Qwen3-8B", Precision(precision))).total_bytes
        for precision in ("bf16", "fp8", "int4")
    }
    assert {row["precision"]: row["totalBytes"] for row in operator.status()["sizes"]} == want
    assert operator.condition("Ready")[:2] == ("True", "Sized")
    assert "8 sequences of 8192 tokens" in operator.condition("Ready")[2]
    assert operator.status()["observedGeneration"] == 1


PARTS = ("weightsBytes", "kvCacheBytes", "activationBytes", "nonTorchBytes", "graphBytes", "marginBytes")


@pytest.mark.parametrize("overrides", [{}, {"overheadBytes": 5 << 30}], ids=["computed", "given"])
async def test_the_parts_of_each_size_add_up_to_its_total_within_its_uncertainty(overrides: dict[str, int]) -> None:
    operator = Operator(model_profile(precisions=["bf16", "int4"], overrides=overrides))
    await operator.look()
    for row in operator.status()["sizes"]:
        assert sum(row[part] for part in PARTS) == row["totalBytes"]
        assert row["uncertainty"]["lowBytes"] <= row["totalBytes"] <= row["uncertainty"]["highBytes"]


async def test_the_condition_says_what_to_expect_of_starts_on_the_smallest_partitions() -> None:
    operator = Operator(model_profile(precisions=["bf16", "int4"]))
    await operator.look()
    message = operator.condition("Ready")[2]
    assert "starts on the smallest partitions: bf16 on 1 x " in message
    assert message.count(" safe") == 2


async def test_of_figures_that_an_author_gives_nothing_is_said() -> None:
    operator = Operator(model_profile(overrides={"overheadBytes": 5 << 30}))
    await operator.look()
    assert "starts on" not in operator.condition("Ready")[2]


async def test_without_a_list_the_published_precision_is_sized() -> None:
    operator = Operator(model_profile())
    await operator.look()
    assert [row["precision"] for row in operator.status()["sizes"]] == ["bf16"]


async def test_contradictions_are_told_with_field_value_and_remedy() -> None:
    operator = Operator(model_profile(architecture={"totalParams": 10**9}))
    await operator.look()
    status, reason, message = operator.condition("Ready")
    assert (status, reason, operator.status()["sizes"]) == ("False", "FactsInvalid", [])
    assert all(word in message for word in ("spec.architecture.totalParams", "1000000000", "correct the total"))


async def test_parameters_that_nothing_explains_are_spoken_of() -> None:
    operator = Operator(model_profile(architecture={"totalParams": 16_381_470_720}))
    await operator.look()
    assert "50 % of totalParams" in operator.condition("Ready")[2]


async def test_the_younger_of_two_for_a_model_is_told_until_it_is_alone() -> None:
    operator = Operator(model_profile("old"), model_profile("young", created="2026-02-01T00:00:00Z"))
    for name in ("old", "young"):
        await operator.look(name)
    assert operator.condition("Conflict", "young")[:2] == ("True", "OlderProfileWins")
    assert "ModelProfile old" in operator.condition("Conflict", "young")[2]
    assert [one["type"] for one in operator.status("old")["conditions"]] == ["Ready"]
    del operator.api.objects["modelprofiles", "", "old"]
    await operator.look("young")
    assert operator.condition("Conflict", "young")[:2] == ("False", "NoConflict")


async def test_what_engines_were_seen_to_take_stays() -> None:
    seen = {"peakBytes": 5, "samples": 2}
    operator = Operator(model_profile() | {"status": {"observed": seen}})
    await operator.look()
    assert operator.status()["observed"] == seen


@pytest.mark.parametrize(
    ("error", "want"),
    [
        pytest.param(Conflict(409, "Conflict", "moved on"), Result(requeue_after=SOON_SECONDS), id="it moved on"),
        pytest.param(NotFound(404, "NotFound", "gone"), Result(), id="it is gone"),
    ],
)
async def test_a_write_that_comes_too_late(error: ApiError, want: Result) -> None:
    operator = Operator(model_profile())
    operator.api.before_write = refusing("replace modelprofiles", error)
    assert await operator.look() == want
    await operator.look()
    assert operator.condition("Ready")[0] == "True"


@pytest.mark.parametrize("change", [{"deletionTimestamp": "2026-01-01T00:00:00Z"}, {"name": "other"}])
async def test_a_profile_that_goes_is_left_alone(change: dict[str, str]) -> None:
    made = model_profile()
    operator = Operator(made | {"metadata": made["metadata"] | change})
    assert await operator.look() == Result()
    assert operator.api.writes == []


async def test_one_that_cannot_be_read_is_not_tried_again() -> None:
    operator = Operator(model_profile() | {"spec": {"modelId": MODEL}})
    with pytest.raises(TerminalError, match="ModelProfile chat-8b cannot be read"):
        await operator.look()


def test_a_profile_leads_to_those_for_the_same_model() -> None:
    operator = Operator()
    for name, model in (("old", MODEL), ("young", MODEL), ("other", "acme/other")):
        operator.fed.put(operator.cluster.model_profiles, model_profile(name, model))
    found = profiles_of_profile(operator.cluster)
    gone = StoreEvent(EventType.DELETED, "older", model_profile("older"), None)
    assert [request.name for request in found(gone)] == ["old", "young"]
    assert list(found(StoreEvent(EventType.MODIFIED, "old", model_profile("old"), model_profile("old")))) == []
