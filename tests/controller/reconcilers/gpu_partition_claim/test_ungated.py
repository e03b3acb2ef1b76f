"""Somebody else removed the gate: what was to be written with its removal is not there."""

from typing import Any

import pytest

from api.group import ASSIGNED_NODE, ASSIGNED_PARTITION, ENGINE_ARGS
from controller.reconcilers.gpu_partition_claim.ungated import unassigned
from controller.runtime.client.core import PODS, RESOURCE_CLAIMS
from controller.runtime.client.errors import Conflict
from controller.state.kinds import GPU_PARTITION_CLAIMS
from controller.translate.pod import pod_view
from tests.builders.pod import ASSIGNED, OPTED_IN, pod, typed_pod
from tests.builders.resource_claim import resource_claim
from tests.controller.reconcilers.gpu_partition_claim.api import InMemoryApi
from tests.controller.reconcilers.gpu_partition_claim.conftest import SMALL
from tests.controller.reconcilers.gpu_partition_claim.flow import Operator
from tests.controller.reconcilers.gpu_partition_claim.test_controller import scheduler_allocates


@pytest.mark.parametrize(
    ("annotations", "fields", "want"),
    [
        pytest.param({}, {}, False, id="gated"),
        pytest.param(ASSIGNED, {"gates": ()}, False, id="let go by our patch"),
        pytest.param({}, {"gates": ()}, True, id="let go by somebody else"),
        pytest.param(ASSIGNED | {ENGINE_ARGS: ""}, {"gates": ()}, True, id="with an empty value"),
        pytest.param({ASSIGNED_NODE: "n"}, {"gates": ()}, True, id="with a part of it"),
    ],
)
def test_who_was_let_go_without_an_assignment(annotations: dict[str, str], fields: Any, want: bool) -> None:
    assert unassigned(pod_view(typed_pod(annotations=OPTED_IN | annotations, **fields))) is want


def the_claim(api: InMemoryApi) -> dict[str, Any]:
    (claim,) = api.of(GPU_PARTITION_CLAIMS)
    return claim


def conditions(api: InMemoryApi) -> dict[str, tuple[str, str]]:
    return {c["type"]: (c["status"], c["reason"]) for c in the_claim(api)["status"]["conditions"]}


def let_go(api: InMemoryApi, **fields: Any) -> None:
    """Somebody else removes the gate, and writes nothing."""
    api.put(PODS, pod(annotations=SMALL, gates=(), **fields))


async def stopped_at(operator: Operator, verb: str) -> None:
    """The flow goes as far as it can while writes of that sort conflict."""

    def refuse(text: str) -> None:
        if text == verb:
            raise Conflict(409, "Conflict", "moved on")

    operator.api.before_write = refuse
    await operator.round()
    operator.api.before_write = lambda _: None


@pytest.mark.parametrize("verb", ["create resourceclaims", "patch pods"])
async def test_a_bound_pod_that_loses_its_gate_is_kept_from_starting(
    api: InMemoryApi, operator: Operator, verb: str
) -> None:
    await stopped_at(operator, verb)
    assert the_claim(api)["status"]["phase"] == "Bound"
    let_go(api)
    for _ in range(3):
        await operator.round()
    assert api.of(RESOURCE_CLAIMS) == []  # the scheduler places nobody whose claim is not there
    assert (the_claim(api)["status"]["phase"], conditions(api)["Bound"]) == ("Pending", ("False", "GateRemoved"))
    assert ("Warning", "GateRemoved") in operator.told
    operator.show()
    assert all(part.holder is None for _, _, part in operator.cluster.snapshot().partitions())


async def test_one_that_the_scheduler_placed_first_keeps_its_device_and_is_told_of(
    api: InMemoryApi, operator: Operator
) -> None:
    await stopped_at(operator, "patch pods")
    scheduler_allocates(api)
    let_go(api, node="worker-0")
    for _ in range(3):
        await operator.round()
    assert the_claim(api)["status"]["phase"] == "Allocated"
    assert conditions(api)["Unassigned"] == ("True", "GateRemoved")
    assert operator.told.count(("Warning", "Unassigned")) == 1
    assert ASSIGNED_PARTITION not in api.of(PODS)[0]["metadata"]["annotations"]  # its containers would not read it
    settled = list(api.writes)
    await operator.round()
    assert api.writes == settled


async def test_a_resource_claim_of_somebody_else_is_not_removed(api: InMemoryApi, operator: Operator) -> None:
    api.put(RESOURCE_CLAIMS, resource_claim(owner_uid="uid-other"))
    await operator.round()
    let_go(api)
    for _ in range(2):
        await operator.round()
    assert len(api.of(RESOURCE_CLAIMS)) == 1
    assert conditions(api)["Bound"] == ("False", "GateRemoved")


async def test_a_pod_on_its_way_out_is_not_spoken_of(api: InMemoryApi, operator: Operator) -> None:
    await operator.round()
    scheduler_allocates(api)
    await operator.round()
    let_go(api, node="worker-0", metadata={"deletionTimestamp": "2026-01-01T00:00:00Z"})
    await operator.round()
    assert "Unassigned" not in conditions(api)
