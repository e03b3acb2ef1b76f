"""The scripts for Argo CD say of every state of our objects how healthy it is, run by the Lua version that Argo CD has."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from lupa import lua51  # type: ignore[import-untyped]

from api.openapi.kind import KINDS
from api.v1beta1.repartition_plan import PlanPhase
from controller.profiles.selection import DoesNotFit
from controller.reconcilers.unhealthy.verdict import Reason
from controller.translate.model_profile import InvalidFacts
from tests.docs.condition_reasons import ROOMS, errors, modules, reasons

Object = dict[str, Any]
FILE: Final = Path(__file__).parents[2] / "docs/argocd-health.yaml"
SCRIPTS: Final[dict[str, str]] = yaml.safe_load(FILE.read_text())["data"]
PREFIX: Final = "resource.customizations.health.aim.amd.com_"

WAITS: Final = frozenset(
    {  # others give something back, or we go on
        *("DividingFirst", "GangDoesNotFit", "GangIncomplete", "GangReleased", "IdleGPUsTaken", "InventoryUnknown"),
        *("KServeNotReady", "NoDeployment", "NoFreePartition", "NoManagedNodes", "NoPartitionFits", "NodeGone"),
        *("PartitionGone", "Pending", "PodsNotReady", "ProfilesNotWritten", "QuotaExceeded", "ReleasedForAutoscaler"),
        *("RepartitionBudget", "RepartitionLater", "RepartitionRunning", "RepartitionTried", "RollingOut"),
        *("ShareGroupEnding", "ShareOutdated", "WaitingForGate", "AwaitingApproval", "WouldInterrupt"),
    }
)
MENDED: Final = frozenset(
    {  # a person has to do something
        *("BackendRefused", "ClaimNameTaken", "CountUnsupported", "GangSizeMismatch", "GateRemoved", "InvalidRequest"),
        *("KServeNotServed", "ModeUnavailable", "NameTaken", "PinRefused", "PolicyNotForNamespace", "PolicyNotFound"),
        *("PrecisionUnsupported", "ProfilesTooLarge", "QoSClassNotFound", "ResourceClaimRefused", "ServiceMismatch"),
        *("TooLargeForAnyGPU",),
    }
)
ELSEWHERE: Final = frozenset(
    {  # reasons of other conditions than those by which something waits, the conditions' types, and types of Events
        *("Allocated", "Bound", "CheckpointKnown", "Guaranteed", "ObservedMismatch", "PredictorReady", "Ready"),
        *("Routable", "SLOMet", "Stuck", "TooSmall", "Unassigned", "Normal", "Warning"),
        *("BudgetBurns", "BudgetSpent", "CheckpointUnknown", "CountsUnreadable", "DeviceAllocated", "DeviceMismatch"),
        *("DeviceObserved", "DeviceTaken", "DeviceUnfit", "DuplicateModel", "ErrorBudgetBurns"),
        *("FewRequests", "GangMember", "GoesBack"),
        *("Grows", "GuaranteeCapacity", "GuaranteeOutOfReach", "KubeletDoesNotTell", "LargeEnough", "Larger"),
        *("ModelNeedsMore", "NoObjectives", "NoRequests", "NoSuchPartition", "NotWanted", "NotYet", "NothingSmaller"),
        *("NothingWanted", "PartitionChosen", "PartitionsAllocated", "PodEnded", "PodsReady", "ResizeNever"),
        *("SchedulerRefused", "Serving", "SharedPartition", "UpToDate", "WaitingForKubelet", "WaitingForScheduler"),
        *("WithinBudget",),
    }
)


OF_FILES: Final = {"ModelFileError", "UnknownArchitecture"}
"""What is wrong with a model's files, of which only the command line reads any."""
SIZING: Final = errors("SizingError") - OF_FILES


def asked(kind: str, obj: Object) -> tuple[str, str]:
    """Health and message that Argo CD would show."""
    lua = lua51.LuaRuntime(unpack_returned_tuples=True)
    lua.globals().obj = lua.table_from(obj, recursive=True)
    answer = lua.execute(SCRIPTS[f"{PREFIX}{kind}"])
    return answer["status"], answer["message"]


def obj(status: Object | None = None, *, seen: int = 2, **spec: Any) -> Object:
    """An object of generation 2, as the operator saw it in generation `seen`."""
    made: Object = {"metadata": {"name": "one", "generation": 2}, "spec": spec}
    return made if status is None else made | {"status": {"observedGeneration": seen} | status}


def conditions(**told: tuple[str, str]) -> Object:
    """A status with conditions, each with its status and reason."""
    rows = [{"type": type_, "status": status, "reason": why, "message": "so"} for type_, (status, why) in told.items()]
    return {"conditions": rows}


def test_every_kind_has_a_script() -> None:
    assert {name.removeprefix(PREFIX) for name in SCRIPTS} == {kind.name for kind in KINDS}


@pytest.mark.parametrize("kind", [kind.name for kind in KINDS])
@pytest.mark.parametrize("status", [None, {}], ids=["no status", "an empty one"])
def test_what_the_operator_has_not_seen_is_progressing(kind: str, status: Object | None) -> None:
    assert asked(kind, obj(status))[0] == "Progressing"


def test_every_reason_for_which_something_waits_is_known_here() -> None:
    assert InvalidFacts.__name__ in SIZING
    assert DoesNotFit.__name__ in SIZING
    assert reasons(modules(*ROOMS)) == WAITS | MENDED | ELSEWHERE
    assert not WAITS & MENDED
    assert not (WAITS | MENDED) & ELSEWHERE


def test_reasons_are_really_found() -> None:
    found = reasons(modules("placement/scheduler.py"))
    assert {"NoFreePartition", "TooLargeForAnyGPU", "NoManagedNodes"} <= found
    assert "NoFreePartition" not in reasons(modules("translate/request.py"))


ROWS_OF_REASONS: Final = [
    *((reason, "Progressing") for reason in sorted(WAITS)),
    *((reason, "Degraded") for reason in sorted(MENDED | SIZING)),
]


@pytest.mark.parametrize(("reason", "want"), ROWS_OF_REASONS)
def test_a_service_that_is_not_ready_for_that_reason(reason: str, want: str) -> None:
    assert asked("InferenceService", obj(conditions(Ready=("False", reason)))) == (want, f"{reason}: so")


@pytest.mark.parametrize(("reason", "want"), ROWS_OF_REASONS)
def test_a_claim_that_waits_for_that_reason(reason: str, want: str) -> None:
    waiting = {"phase": "Pending"} | conditions(Bound=("False", reason), Allocated=("False", reason))
    assert asked("GPUPartitionClaim", obj(waiting)) == (want, f"{reason}: so")


SERVING = ("True", "Serving")


@pytest.mark.parametrize(
    ("told", "want"),
    [
        pytest.param({"Ready": SERVING}, "Healthy", id="it serves"),
        pytest.param({"Ready": SERVING, "UpdateBlocked": ("False", "UpToDate")}, "Healthy", id="and is up to date"),
        pytest.param({"Ready": SERVING, "UpdateBlocked": ("False", "RollingOut")}, "Progressing", id="it rolls out"),
        pytest.param({"Ready": SERVING, "UpdateBlocked": ("True", "NoFreePartition")}, "Progressing", id="it waits"),
        pytest.param({"Ready": SERVING, "UpdateBlocked": ("True", "UnknownModel")}, "Degraded", id="it cannot"),
        pytest.param({"Ready": SERVING, "Routable": ("False", "DuplicateModel")}, "Degraded", id="no way to it"),
        pytest.param(
            {"Ready": SERVING, "Guaranteed": ("False", "GuaranteeCapacity")}, "Degraded", id="too much promised"
        ),
        pytest.param(
            {"Ready": SERVING, "SLOMet": ("False", "BudgetBurns")}, "Healthy", id="slow, of which alerts tell"
        ),
        pytest.param({"Ready": SERVING, "CheckpointKnown": ("False", "CheckpointUnknown")}, "Healthy", id="a warning"),
        pytest.param({"Ready": SERVING, "Resized": ("False", "NotYet")}, "Healthy", id="larger partitions are wanted"),
    ],
)
def test_a_service_that_serves(told: dict[str, tuple[str, str]], want: str) -> None:
    assert asked("InferenceService", obj(conditions(**told)))[0] == want


def test_what_was_said_of_an_older_spec_does_not_count() -> None:
    assert asked("InferenceService", obj(conditions(Ready=SERVING), seen=1))[0] == "Progressing"


HELD = {"Bound": ("True", "PartitionChosen"), "Allocated": ("True", "DeviceAllocated")}


@pytest.mark.parametrize(
    ("phase", "told", "want"),
    [
        pytest.param("Allocated", HELD, "Healthy", id="it holds its partition"),
        pytest.param("Bound", HELD | {"Allocated": ("False", "WaitingForScheduler")}, "Progressing", id="scheduler"),
        pytest.param("Bound", HELD | {"Allocated": ("False", "WaitingForKubelet")}, "Progressing", id="kubelet"),
        pytest.param(
            "Bound", HELD | {"Allocated": ("False", "KubeletDoesNotTell")}, "Progressing", id="silent kubelet"
        ),
        pytest.param("Bound", HELD | {"Allocated": ("False", "DeviceMismatch")}, "Degraded", id="another device"),
        pytest.param("Bound", HELD | {"Stuck": ("True", "DeviceTaken")}, "Degraded", id="stuck"),
        pytest.param("Bound", HELD | {"Stuck": ("True", "SchedulerRefused")}, "Degraded", id="refused"),
        pytest.param("Allocated", HELD | {"ObservedMismatch": ("True", "OtherDevice")}, "Degraded", id="mismatch"),
        pytest.param("Allocated", HELD | {"Unassigned": ("True", "GateRemoved")}, "Degraded", id="gate removed"),
        pytest.param("Allocated", HELD | {"TooSmall": ("True", "ModelNeedsMore")}, "Degraded", id="too small"),
        pytest.param("Released", {"Allocated": ("False", "PodEnded")}, "Healthy", id="its pod has ended"),
    ],
)
def test_a_claim_that_was_decided(phase: str, told: dict[str, tuple[str, str]], want: str) -> None:
    assert asked("GPUPartitionClaim", obj({"phase": phase} | conditions(**told)))[0] == want


@pytest.mark.parametrize("reason", list(Reason))
@pytest.mark.parametrize("status", ["True", "False", "Unknown"])
def test_a_broken_partition_is_degraded_and_one_of_which_nothing_is_known_is_not(reason: Reason, status: str) -> None:
    told = HELD | {"Healthy": (status, reason.value)}
    want = "Degraded" if status == "False" else "Healthy"
    assert asked("GPUPartitionClaim", obj({"phase": "Allocated"} | conditions(**told)))[0] == want


PLANS: Final[Mapping[PlanPhase, str]] = {
    PlanPhase.PENDING: "Progressing",
    PlanPhase.AWAITING_APPROVAL: "Suspended",
    PlanPhase.DRAINING: "Progressing",
    PlanPhase.QUIESCING: "Progressing",
    PlanPhase.APPLYING: "Progressing",
    PlanPhase.RELOADING: "Progressing",
    PlanPhase.VERIFYING: "Progressing",
    PlanPhase.SUCCEEDED: "Healthy",
    PlanPhase.ROLLING_BACK: "Progressing",
    PlanPhase.ROLLED_BACK: "Degraded",
    PlanPhase.FAILED: "Degraded",
}


@pytest.mark.parametrize("phase", list(PlanPhase))
def test_a_plan_in_each_of_its_phases(phase: PlanPhase) -> None:
    told = {"phase": phase.value, "message": "so"}
    assert asked("RepartitionPlan", obj(told)) == (PLANS[phase], f"{phase}: so")
    assert asked("RepartitionPlan", obj({"phase": "Pending"}, dryRun=True))[0] == "Suspended"


@pytest.mark.parametrize(
    ("kind", "told", "want"),
    [
        ("GPUSharingPolicy", {"Ready": ("True", "InForce")}, "Healthy"),
        ("GPUSharingPolicy", {"Ready": ("True", "InForce"), "Conflict": ("False", "NoConflict")}, "Healthy"),
        ("GPUSharingPolicy", {"Ready": ("True", "InForce"), "Conflict": ("True", "OlderPolicyWins")}, "Degraded"),
        ("GPUSharingPolicy", {"Ready": ("False", "Paused")}, "Suspended"),
        ("GPUSharingPolicy", {"Ready": ("False", "WindowInvalid")}, "Degraded"),
        ("ModelProfile", {"Ready": ("True", "Sized")}, "Healthy"),
        ("ModelProfile", {"Ready": ("True", "Sized"), "Conflict": ("False", "NoConflict")}, "Healthy"),
        ("ModelProfile", {"Ready": ("True", "Sized"), "Conflict": ("True", "OlderProfileWins")}, "Degraded"),
        ("ModelProfile", {"Ready": ("False", "FactsInvalid")}, "Degraded"),
        *(("ModelProfile", {"Ready": ("False", name)}, "Degraded") for name in sorted(SIZING)),
        ("GPUNode", {"Ready": ("True", "InventoryRead")}, "Healthy"),
        ("GPUNode", {"Ready": ("False", "NotReadYet")}, "Progressing"),
        ("GPUNode", {"Ready": ("False", "AmdsmiFailure")}, "Degraded"),
        ("GPUNode", {"Ready": ("True", "InventoryRead"), "Consistent": ("False", "SourcesDisagree")}, "Degraded"),
        ("GPUNode", {"Ready": ("True", "InventoryRead"), "Consistent": ("True", "SourcesAgree")}, "Healthy"),
        ("GPUNode", {"Ready": ("True", "InventoryRead"), "Complete": ("False", "GpusMissing")}, "Degraded"),
        ("GPUNode", {"Ready": ("True", "InventoryRead"), "Complete": ("Unknown", "NotRead")}, "Healthy"),
        ("GPUNode", {"Ready": ("True", "InventoryRead"), "Backend": ("False", "FellBack")}, "Healthy"),
    ],
)
def test_policies_profiles_and_nodes(kind: str, told: dict[str, tuple[str, str]], want: str) -> None:
    assert asked(kind, obj(conditions(**told)))[0] == want


#: What sets the conditions of kinds above, and the words there that are no reasons.
OTHERS: Final = (
    ("GPUSharingPolicy", "reconcilers/gpu_sharing_policy", {"Ready", "Conflict"}),
    ("ModelProfile", "reconcilers/model_profile", {"Ready", "Conflict"}),
)


@pytest.mark.parametrize(("kind", "room", "types"), OTHERS)
def test_every_reason_of_those_has_a_row_above(kind: str, room: str, types: set[str]) -> None:
    mark = next(mark for mark in test_policies_profiles_and_nodes.pytestmark if mark.name == "parametrize")  # type: ignore[attr-defined]
    told = {reason for row in mark.args[1] if row[0] == kind for _, reason in row[1].values()}
    assert reasons(modules(room)) - types <= told


def test_a_paused_node_is_suspended_unless_it_is_broken() -> None:
    well = conditions(Ready=("True", "InventoryRead"))
    assert asked("GPUNode", obj(well, paused=True))[0] == "Suspended"
    broken = conditions(Ready=("True", "InventoryRead"), Complete=("False", "GpusMissing"))
    assert asked("GPUNode", obj(broken, paused=True))[0] == "Degraded"
