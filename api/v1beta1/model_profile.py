"""ModelProfile: the facts about a model from which its memory is sized, for models outside the catalogue.

One whose model is in the catalogue, too, goes before it.
"""

from typing import Literal

from pydantic import Field

from api.defaults import no_items
from api.formats import ByteCount, ModelId, Timestamp
from api.group import API_VERSION
from api.markers import SET, Rule, keyed_by, rules
from api.object import ApiModel, Condition, KubernetesObject
from api.v1beta1.architecture_facts import ArchitectureFacts
from api.v1beta1.precision import ResolvedPrecision
from api.v1beta1.sizing_parts import ActivationBytes, GraphBytes, MarginBytes, NonTorchBytes, SizingUncertainty

WEIGHTLESS = (
    "would place the model without room for its weights: write their bytes, or leave it out to have them computed"
)


class SizingOverrides(ApiModel):
    """Figures to use instead of computed ones."""

    weights_bytes: ByteCount | None = Field(
        default=None,
        description="Weights in bytes at the published precision; absent: computed from the architecture.",
        json_schema_extra=rules(Rule("self > 0", f"weightsBytes 0 {WEIGHTLESS}")),
    )
    kv_bytes_per_token: ByteCount | None = Field(
        default=None, description="KV cache a token in bytes; absent: computed from the architecture."
    )
    overhead_bytes: ByteCount | None = Field(
        default=None, description="Activations and runtime in bytes; absent: computed."
    )


class ModelProfileSpec(ApiModel):
    """The model and its facts."""

    model_id: ModelId = Field(description="Identity that services name in spec.model.id.")
    architecture: ArchitectureFacts = Field(description="Shape of the model.")
    precisions: list[ResolvedPrecision] = Field(
        default_factory=no_items,
        max_length=8,
        description="Precisions in which weights exist and may be asked for; empty: the published one, and bf16 where "
        "that is fp32.",
        json_schema_extra=SET,
    )
    overrides: SizingOverrides = Field(
        default_factory=SizingOverrides, description="Figures to use instead of computed ones."
    )


class SizePerPrecision(ApiModel):
    """The memory needed at one precision, with default lengths."""

    precision: ResolvedPrecision = Field(description="The precision.")
    total_bytes: ByteCount = Field(
        description="Memory in bytes: the sum of weightsBytes, kvCacheBytes, activationBytes, nonTorchBytes, "
        "graphBytes and marginBytes."
    )
    weights_bytes: ByteCount | None = Field(default=None, description="What of it the weights take, in bytes.")
    kv_cache_bytes: ByteCount | None = Field(
        default=None, description="KV cache for maxConcurrency sequences of maxModelLen tokens, in bytes."
    )
    activation_bytes: ActivationBytes = None
    non_torch_bytes: NonTorchBytes = None
    graph_bytes: GraphBytes = None
    margin_bytes: MarginBytes = None
    uncertainty: SizingUncertainty | None = Field(
        default=None, description="Between which bytes the need may lie; the total is within them."
    )
    kv_bytes_per_token: ByteCount | None = Field(default=None, description="KV cache a token, in bytes.")
    max_model_len: int | None = Field(default=None, ge=1, description="The sequence length that was sized, in tokens.")
    max_concurrency: int | None = Field(default=None, ge=1, description="The number of sequences that was sized.")


class ObservedUse(ApiModel):
    """What running engines were seen to take."""

    peak_bytes: ByteCount | None = Field(default=None, description="Largest use seen in bytes.")
    samples: int = Field(default=0, ge=0, description="Pods it was seen on.")
    last_seen: Timestamp | None = Field(default=None, description="When it was seen last.")


class ModelProfileStatus(ApiModel):
    """What sizing makes of the facts; written by the operator alone."""

    observed_generation: int | None = Field(default=None, ge=0, description="The generation last acted upon.")
    sizes: list[SizePerPrecision] = Field(
        default_factory=no_items,
        max_length=8,
        description="Memory needed, by precision.",
        json_schema_extra=keyed_by("precision"),
    )
    observed: ObservedUse | None = Field(default=None, description="What running engines were seen to take.")
    conditions: list[Condition] = Field(
        default_factory=no_items,
        max_length=16,
        description="Ready, and Conflict where an older profile is for the same model.",
        json_schema_extra=keyed_by("type"),
    )


class ModelProfile(KubernetesObject):
    """The facts about a model from which its memory is sized."""

    api_version: Literal["aim.amd.com/v1beta1"] = API_VERSION
    kind: Literal["ModelProfile"] = "ModelProfile"
    spec: ModelProfileSpec = Field(description="The model and its facts.")
    status: ModelProfileStatus = Field(
        default_factory=ModelProfileStatus, description="What sizing makes of the facts."
    )
