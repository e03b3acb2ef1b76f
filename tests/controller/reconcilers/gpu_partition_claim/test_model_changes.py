"""Facts about a model that change: claims that wait are judged by the new ones, claims that run are told."""

from typing import Any

import pytest

from api.quantity import parse_quantity
from controller.runtime.client.core import NODES, PODS
from controller.sizing.catalog import Catalog
from controller.state.kinds import GPU_NODES, GPU_PARTITION_CLAIMS, MODEL_PROFILES
from controller.state.models import Models
from tests.builders.gpu_node import gpu_node
from tests.builders.model_profile import MODEL, model_profile
from tests.builders.node import node_object
from tests.builders.pod import pod
from tests.controller.reconcilers.gpu_partition_claim.api import NOT_ANSWERED, InMemoryApi, refusing
from tests.controller.reconcilers.gpu_partition_claim.flow import Operator
from tests.controller.reconcilers.gpu_partition_claim.test_controller import scheduler_allocates
from tests.fakes.clock import FakeClock

ASKS = {"aim.amd.com/gpu-sharing": "true", "aim.amd.com/model-id": MODEL, "aim.amd.com/max-concurrency": "1"}
SMALL, LARGE = {"weightsBytes": 1 << 30}, {"weightsBytes": 100 << 30}


@pytest.fixture
def api() -> InMemoryApi:
    """One node in CPX/NPS4, 24 GiB a partition, and a gated pod for a model of no catalogue."""
    stored = InMemoryApi()
    stored.put(NODES, node_object())
    stored.put(GPU_NODES, gpu_node())
    stored.put(PODS, pod(annotations=ASKS))
    return stored


@pytest.fixture
def operator(api: InMemoryApi, clock: FakeClock) -> Operator:
    return Operator(api, clock, Models(Catalog.bundled()))


def say(api: InMemoryApi, **spec: Any) -> None:
    api.put(MODEL_PROFILES, model_profile(**spec))


def forget(api: InMemoryApi) -> None:
    del api.objects["modelprofiles", "", "chat-8b"]


def the_claim(api: InMemoryApi) -> dict[str, Any]:
    (claim,) = api.of(GPU_PARTITION_CLAIMS)
    return claim


def memory(api: InMemoryApi) -> int | None:
    asked = the_claim(api)["spec"]["requirement"].get("memory")
    return parse_quantity(asked) if asked else None


def conditions(api: InMemoryApi) -> dict[str, tuple[str, str]]:
    return {one["type"]: (one["status"], one["reason"]) for one in the_claim(api)["status"]["conditions"]}


async def rounds(operator: Operator, count: int = 3) -> None:
    for _ in range(count):
        await operator.round()


async def test_a_claim_for_a_model_that_nobody_knew_is_placed_once_a_profile_comes(
    api: InMemoryApi, operator: Operator
) -> None:
    await rounds(operator)
    assert (memory(api), conditions(api)["Bound"]) == (None, ("False", "UnknownModel"))
    say(api)
    await rounds(operator)
    assert the_claim(api)["status"]["phase"] == "Bound"
    assert the_claim(api)["spec"]["model"]["id"] == MODEL


async def test_a_waiting_claim_asks_for_what_the_profile_says_now(api: InMemoryApi, operator: Operator) -> None:
    say(api, overrides=LARGE)
    await rounds(operator)
    before, asked = the_claim(api)["metadata"]["uid"], memory(api)
    assert conditions(api)["Bound"] == ("False", "NoPartitionFits")
    say(api, overrides=SMALL)
    await rounds(operator)
    after = memory(api)
    assert the_claim(api)["metadata"]["uid"] != before
    assert asked is not None
    assert after is not None
    assert after < asked
    assert the_claim(api)["status"]["phase"] == "Bound"


async def test_a_waiting_claim_whose_profile_goes_says_that_nobody_knows_the_model(
    api: InMemoryApi, operator: Operator
) -> None:
    say(api, overrides=LARGE)
    await rounds(operator)
    forget(api)
    await rounds(operator)
    assert (memory(api), conditions(api)["Bound"]) == (None, ("False", "UnknownModel"))
    settled = list(api.writes)
    await rounds(operator)
    assert api.writes == settled


async def test_what_is_said_besides_makes_no_claim_anew(api: InMemoryApi, operator: Operator) -> None:
    say(api, overrides=LARGE)
    await rounds(operator)
    before = the_claim(api)
    say(api, overrides=LARGE, precisions=["bf16"])
    await rounds(operator)
    assert the_claim(api) == before


async def running(api: InMemoryApi, operator: Operator) -> None:
    say(api, overrides=SMALL)
    await rounds(operator, 1)
    scheduler_allocates(api)
    await rounds(operator)
    assert the_claim(api)["status"]["phase"] == "Allocated"


async def test_a_running_claim_that_is_too_small_by_now_is_marked_and_keeps_running(
    api: InMemoryApi, operator: Operator
) -> None:
    await running(api, operator)
    place, pods = the_claim(api)["status"]["allocation"], api.of(PODS)
    say(api, overrides=LARGE)
    await rounds(operator)
    assert conditions(api)["TooSmall"] == ("True", "ModelNeedsMore")
    assert operator.told.count(("Warning", "TooSmall")) == 1
    assert (the_claim(api)["status"]["allocation"], the_claim(api)["status"]["phase"]) == (place, "Allocated")
    assert api.of(PODS) == pods
    settled = list(api.writes)
    await rounds(operator)
    assert api.writes == settled


async def test_the_mark_goes_when_the_claim_fits_again(api: InMemoryApi, operator: Operator) -> None:
    await running(api, operator)
    say(api, overrides=LARGE)
    await rounds(operator)
    say(api, overrides=SMALL)
    await rounds(operator)
    assert "TooSmall" not in conditions(api)


async def test_a_running_claim_whose_profile_goes_stays_as_it_is(api: InMemoryApi, operator: Operator) -> None:
    await running(api, operator)
    before = the_claim(api)
    forget(api)
    await rounds(operator)
    assert the_claim(api) == before


async def test_a_claim_whose_decision_may_have_been_stored_is_not_made_anew(
    api: InMemoryApi, operator: Operator
) -> None:
    """Nobody answered as the decision was written: its partition stays taken until it is known what became of it."""
    say(api, overrides=SMALL)
    api.before_write = refusing("replace gpupartitionclaims", NOT_ANSWERED)
    await rounds(operator, 1)
    say(api, overrides=LARGE)
    await rounds(operator)
    assert "delete gpupartitionclaims" not in api.writes
    assert (the_claim(api)["status"]["phase"], conditions(api)["TooSmall"][0]) == ("Bound", "True")
