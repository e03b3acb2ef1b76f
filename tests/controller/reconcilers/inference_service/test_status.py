from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from api.condition import find_condition
from api.v1beta1 import GPUPartitionClaim
from controller.reconcilers.inference_service.status import (
    CHECKPOINT_KNOWN,
    MESSAGE_LIMIT,
    Gathered,
    Refusal,
    placements,
    sizing_result,
    status_of,
)
from controller.sizing.requirement import Sizing, SizingRequest
from controller.translate.request import Problem
from tests.builders.claim import bound_claim, claim
from tests.builders.inference_service import inference_service
from tests.controller.reconcilers.gpu_partition_claim.flow import SIZING

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SIZED = SIZING.size(SizingRequest("Qwen/Qwen3-4B"))
TOO_BIG = Refusal("UnknownModel", "spec.model.id: no such model")


def deployed(ready: int, total: int = 2) -> dict[str, Any]:
    return {"status": {"replicas": total, "readyReplicas": ready}}


def claims(*objects: dict[str, Any]) -> list[GPUPartitionClaim]:
    return [GPUPartitionClaim.model_validate(obj) for obj in objects]


def allocated(number: int) -> dict[str, Any]:
    return bound_claim(f"aim-{number}", index=number, phase="Allocated", pod=f"chat-{number}")


def waiting(name: str, reason: str) -> dict[str, Any]:
    condition = {
        "type": "Bound",
        "status": "False",
        "reason": reason,
        "message": f"why {name} waits",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }
    return claim(name, status={"phase": "Pending", "conditions": [condition]})


def gathered(
    *objects: dict[str, Any],
    sizing: Sizing | Refusal = SIZED,
    deployment: dict[str, Any] | None = None,
    error: Refusal | None = None,
    replicas: int = 2,
) -> Gathered:
    return Gathered(inference_service(replicas=replicas), sizing, deployment, claims(*objects), error)


def reasons(given: Gathered) -> dict[str, tuple[str, str]]:
    """Status and reason of each condition."""
    return {c.type: (c.status.value, c.reason) for c in status_of(given, NOW).conditions}


@pytest.mark.parametrize(
    ("given", "want"),
    [
        pytest.param(
            gathered(allocated(0), allocated(1), deployment=deployed(2)),
            (("True", "PartitionsAllocated"), ("True", "PodsReady"), ("True", "Serving")),
            id="all is well",
        ),
        pytest.param(
            gathered(allocated(0), allocated(1), deployment=deployed(1)),
            (("True", "PartitionsAllocated"), ("False", "PodsNotReady"), ("False", "PodsNotReady")),
            id="a pod still loads",
        ),
        pytest.param(
            gathered(allocated(0), bound_claim("aim-1"), deployment=deployed(1)),
            (("False", "Pending"), ("False", "PodsNotReady"), ("False", "Pending")),
            id="a partition is bound and not yet confirmed",
        ),
        pytest.param(
            gathered(waiting("aim-b", "Later"), waiting("aim-a", "NoPartitionFits"), deployment=deployed(0)),
            (("False", "NoPartitionFits"), ("False", "PodsNotReady"), ("False", "NoPartitionFits")),
            id="the first waiting claim says why",
        ),
        pytest.param(
            gathered(sizing=TOO_BIG, deployment=deployed(0)),
            (("False", "UnknownModel"), ("False", "PodsNotReady"), ("False", "UnknownModel")),
            id="a model that cannot be sized",
        ),
        pytest.param(
            gathered(waiting("aim-a", "Later"), error=Refusal("NameTaken", "no")),
            (("False", "NameTaken"), ("False", "NameTaken"), ("False", "NameTaken")),
            id="a backend that was refused comes first",
        ),
        pytest.param(
            gathered(replicas=0, deployment=deployed(0, 0)),
            (("True", "PartitionsAllocated"), ("True", "PodsReady"), ("True", "Serving")),
            id="a stopped service wants nothing",
        ),
    ],
)
def test_conditions(given: Gathered, want: Sequence[tuple[str, str]]) -> None:
    assert reasons(given) == dict(zip(("Allocated", "PredictorReady", "Ready"), want, strict=True))


def test_what_the_deployment_observed_is_copied() -> None:
    status = status_of(gathered(deployment=deployed(1, 2)), NOW)
    assert (status.replicas, status.ready_replicas, status.observed_generation) == (2, 1, 2)
    assert (status.selector, status.url) == ("aim.amd.com/inference-service=chat", "http://chat.team-a.svc")
    assert status.sizing == sizing_result(SIZED)


def test_the_parts_of_a_sizing_add_up_to_its_total_within_its_uncertainty() -> None:
    shown = sizing_result(SIZED)
    parts = (shown.activation_bytes, shown.non_torch_bytes, shown.graph_bytes, shown.margin_bytes)
    assert sum(part or 0 for part in parts) == shown.overhead_bytes
    assert all(parts)
    assert shown.loading_bytes == 0
    assert shown.weights_bytes + shown.kv_cache_bytes + shown.overhead_bytes == shown.total_bytes
    assert shown.uncertainty is not None
    assert shown.uncertainty.low_bytes < shown.total_bytes < shown.uncertainty.high_bytes


def test_a_service_that_cannot_be_sized_shows_no_sizing_of_before() -> None:
    sized = status_of(gathered(), NOW)
    service = inference_service().model_copy(update={"status": sized})
    assert status_of(Gathered(service, TOO_BIG, None, ()), NOW).sizing is None


def test_nothing_new_makes_the_same_status() -> None:
    given = gathered(allocated(0), deployment=deployed(1))
    first = status_of(given, NOW)
    again = Gathered(given.service.model_copy(update={"status": first}), given.sizing, given.deployment, given.claims)
    assert status_of(again, NOW + timedelta(hours=1)) == first


def test_weights_that_are_not_known_are_a_condition_until_they_are() -> None:
    unknown = Problem("spec.model.precision", "int8", "is in no known checkpoint")
    told = status_of(replace(gathered(), checkpoint=unknown), NOW)
    condition = find_condition(told.conditions, CHECKPOINT_KNOWN)
    assert condition is not None
    assert (condition.status, condition.reason, condition.message) == ("False", "CheckpointUnknown", str(unknown))
    later = replace(gathered(), service=inference_service().model_copy(update={"status": told}))
    assert reasons(later)[CHECKPOINT_KNOWN] == ("True", "CheckpointKnown")
    assert CHECKPOINT_KNOWN not in reasons(gathered())


def test_a_condition_that_flips_is_dated_anew() -> None:
    first = status_of(gathered(allocated(0), allocated(1), deployment=deployed(1)), NOW)
    service = inference_service(replicas=2).model_copy(update={"status": first})
    later = NOW + timedelta(hours=1)
    given = Gathered(service, SIZED, deployed(2), claims(allocated(0), allocated(1)))
    dates = {c.type: c.last_transition_time for c in status_of(given, later).conditions}
    assert dates == {"Allocated": NOW, "PredictorReady": later, "Ready": later}


def test_a_long_message_is_cut_to_what_the_api_takes() -> None:
    status = status_of(gathered(error=Refusal("BackendRefused", "x" * 5000)), NOW)
    found = find_condition(status.conditions, "Ready")
    assert found is not None
    assert len(found.message) == MESSAGE_LIMIT


def test_placements_are_of_claims_that_hold_a_partition_in_order_of_their_pods() -> None:
    objects = (
        allocated(1),
        bound_claim("aim-0", index=0, pod="chat-0"),
        bound_claim("aim-2", index=2, phase="Released", pod="chat-2"),
        claim("aim-3", pod="chat-3"),
    )
    objects[1]["status"]["allocation"]["profile"] = "custom/general/a"
    rows = [(row.pod, row.claim, row.node, row.partition, row.profile) for row in placements(claims(*objects))]
    assert rows == [("chat-0", "aim-0", "worker-0", 0, "custom/general/a"), ("chat-1", "aim-1", "worker-0", 1, None)]
