"""The status of a ModelProfile, worked out from its facts. Pure."""

from datetime import datetime
from typing import Final

from api.condition import find_condition, set_condition
from api.object import Condition
from api.v1beta1 import ModelProfile
from api.v1beta1.model_profile import ModelProfileStatus, SizePerPrecision, SizingOverrides
from api.v1beta1.precision import ResolvedPrecision
from controller.reconcilers.model_profile.starts import starts_told
from controller.sizing.errors import SizingError
from controller.sizing.requirement import ModelSizingConfig, Sizing, SizingRequest
from controller.translate.model_profile import (
    InvalidFacts,
    ProfiledModel,
    offered,
    profiled_model,
    unexplained_percent,
)
from controller.translate.sizing_status import uncertainty_of

READY: Final = "Ready"
CONFLICT: Final = "Conflict"
MESSAGE_LIMIT: Final = 1024
#: From so many percent of parameters that the shape does not explain they are spoken of: norms and biases are far less.
UNEXPLAINED_PERCENT: Final = 10


def status_of(
    profile: ModelProfile, sizes: ModelSizingConfig | SizingError, preferred: str | None, now: datetime
) -> ModelProfileStatus:
    """The whole status. `sizes` sizes the profile's model by this very profile; `preferred` is the one that sizes it.

    What engines were seen to take stays as it is.
    """
    rows, verdict = _sized(profile, sizes)
    generation = profile.metadata.generation
    conditions = _set(profile, profile.status.conditions, READY, verdict, now)
    if preferred not in (None, profile.metadata.name) or find_condition(conditions, CONFLICT) is not None:
        conditions = _set(profile, conditions, CONFLICT, _conflict(profile, preferred), now)
    return profile.status.model_copy(
        update={"observed_generation": generation, "sizes": rows, "conditions": conditions}
    )


Verdict = tuple[str, str, str]


def _set(
    profile: ModelProfile, conditions: list[Condition], type_: str, verdict: Verdict, now: datetime
) -> list[Condition]:
    status, reason, message = verdict
    return set_condition(conditions, type_, status, reason, message[:MESSAGE_LIMIT], profile.metadata.generation, now)


def _sized(profile: ModelProfile, sizes: ModelSizingConfig | SizingError) -> tuple[list[SizePerPrecision], Verdict]:
    """Sizes by precision, and whether the profile can be used."""
    try:
        model = profiled_model(profile)
        if isinstance(sizes, SizingError):
            raise sizes
        found = [sizes.size(SizingRequest(profile.spec.model_id, precision)) for precision in offered(model)]
        message = _message(model, sizes, found)
    except SizingError as error:
        reason = "FactsInvalid" if isinstance(error, InvalidFacts) else type(error).__name__
        return [], ("False", reason, f"{error.field}: {str(error.value)!r} {error.problem}: {error.remedy}")
    return [_row(sizing) for sizing in found], ("True", "Sized", message)


def _row(sizing: Sizing) -> SizePerPrecision:
    return SizePerPrecision(
        precision=ResolvedPrecision(sizing.precision.value),
        total_bytes=sizing.total_bytes,
        weights_bytes=sizing.weights_bytes,
        kv_cache_bytes=sizing.kv_cache_bytes,
        activation_bytes=sizing.activation_bytes,
        non_torch_bytes=sizing.non_torch_bytes,
        graph_bytes=sizing.graph_bytes,
        margin_bytes=sizing.margin_bytes,
        uncertainty=uncertainty_of(sizing),
        kv_bytes_per_token=sizing.kv_bytes_per_token,
        max_model_len=sizing.max_model_len,
        max_concurrency=sizing.max_concurrency,
    )


def _message(model: ProfiledModel, sizes: ModelSizingConfig, found: list[Sizing]) -> str:
    first = found[0]
    told = f"sized for {first.max_concurrency} sequences of {first.max_model_len} tokens"
    # the verdict knows the formulas' figures and not an author's
    if model.overrides == SizingOverrides():
        told = f"{told}; {starts_told(sizes, found)}"
    missing = unexplained_percent(model.facts)
    if missing < UNEXPLAINED_PERCENT:
        return told
    return (
        f"{told}; {missing} % of totalParams are in no tensor of this shape and count as 16 bit on every rank: look "
        "whether experts, layerGroups or visionParams are missing"
    )


def _conflict(profile: ModelProfile, preferred: str | None) -> Verdict:
    if preferred in (None, profile.metadata.name):
        return "False", "NoConflict", "no older profile is for this model"
    message = (
        f"ModelProfile {preferred} is older and sizes {profile.spec.model_id} where none is named: delete one of the "
        f"two, or name this one by profileRef"
    )
    return "True", "OlderProfileWins", message
