"""What every object of the group has: camelCase on the wire, metadata, conditions.

Models are frozen: they mirror what the API server holds, and a change is a new object
(``model_copy(update=...)``) that somebody writes. Unknown fields are dropped on read, null counts as absent,
as the API server itself prunes it.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, SerializerFunctionWrapHandler, model_serializer, model_validator
from pydantic.alias_generators import to_camel

from api.defaults import no_items
from api.formats import ConditionMessage, ConditionReason, ConditionType, Timestamp


def json_name(field: str) -> str:
    """The wire name of a Python field: camelCase, without the underscore that avoids a keyword (``from_``)."""
    return to_camel(field.rstrip("_"))


class ApiModel(BaseModel):
    """A part of an API object: frozen, camelCase aliases, readable by either name."""

    model_config = ConfigDict(
        alias_generator=json_name,
        validate_by_name=True,
        validate_by_alias=True,
        extra="ignore",
        frozen=True,
        protected_namespaces=(),
        # what validates a kind is built with its first object: most of what one process imports it never meets
        defer_build=True,
    )

    @model_validator(mode="before")
    @classmethod
    def _drop_nulls(cls, data: Any) -> Any:
        # The API server prunes a null before it applies defaults; files read offline must mean the same.
        # a dict, nearly always: asking an abstract class would take longer than all else here
        if (type(data) is dict or isinstance(data, Mapping)) and None in data.values():
            return {key: value for key, value in data.items() if value is not None}
        return data


def dump(model: BaseModel) -> dict[str, Any]:
    """The model as the API server takes it: JSON names and types, without absent fields."""
    return model.model_dump(mode="json", by_alias=True, exclude_none=True)


class OwnerReference(ApiModel):
    """An owner of the object; the garbage collector follows it."""

    api_version: str = Field(description="API version of the owner.")
    kind: str = Field(description="Kind of the owner.")
    name: str = Field(description="Name of the owner.")
    uid: str = Field(description="UID of the owner.")
    controller: bool | None = Field(default=None, description="Whether the owner manages the object.")
    block_owner_deletion: bool | None = Field(
        default=None, description="Whether a foreground deletion of the owner waits for this object."
    )


class ObjectMeta(ApiModel):
    """The metadata that the operator reads or writes; managedFields and the like are not kept."""

    name: str = Field(default="", description="Name, unique within the namespace.")
    generate_name: str | None = Field(default=None, description="Prefix of a name that the API server completes.")
    namespace: str | None = Field(default=None, description="Namespace; absent for cluster-scoped kinds.")
    uid: str = Field(default="", description="Identity over time and place, set by the API server.")
    resource_version: str | None = Field(default=None, description="Version for optimistic concurrency.")
    generation: int | None = Field(default=None, description="Counts changes of the spec.")
    labels: dict[str, str] = Field(default_factory=dict, description="Labels.")
    annotations: dict[str, str] = Field(default_factory=dict, description="Annotations.")
    owner_references: list[OwnerReference] = Field(default_factory=no_items, description="Owners.")
    finalizers: list[str] = Field(default_factory=no_items, description="Whose work must end before removal.")
    creation_timestamp: Timestamp | None = Field(default=None, description="When it was created.")
    deletion_timestamp: Timestamp | None = Field(default=None, description="When deletion was asked for.")

    @model_serializer(mode="wrap")
    def _without_empties(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # An empty map or list says the same as an absent one, and absent ones keep printed objects short.
        written: dict[str, Any] = handler(self)
        return {key: value for key, value in written.items() if value not in ({}, [], "")}


class ConditionStatus(StrEnum):
    """Whether a condition holds."""

    TRUE = "True"
    FALSE = "False"
    UNKNOWN = "Unknown"


class Condition(ApiModel):
    """One aspect of the object's state, as observed by the operator."""

    type: ConditionType = Field(description="The aspect, in CamelCase, e.g. Ready.")
    status: ConditionStatus = Field(description="Whether it holds: True, False or Unknown.")
    observed_generation: int | None = Field(
        default=None, ge=0, description="The metadata.generation that the condition was computed from."
    )
    last_transition_time: Timestamp = Field(description="When the status last flipped.")
    reason: ConditionReason = Field(description="Why, as one CamelCase word for programs.")
    message: ConditionMessage = Field(default="", description="Why, as a sentence for people.")


class KubernetesObject(ApiModel):
    """A top-level object: kinds add ``spec`` and ``status``, and fix ``api_version`` and ``kind``."""

    api_version: str = Field(
        description="The versioned schema of this representation of the object. "
        "Servers convert recognised versions and reject others.",
    )
    kind: str = Field(description="The REST resource this object represents, in CamelCase.")
    metadata: ObjectMeta = Field(default_factory=ObjectMeta, description="Standard object metadata.")
