"""Texts with a form, as annotated types: the schema carries the pattern, the API server enforces it.

Every text is bounded, so that the API server can estimate what a CEL rule over it costs.
"""

from datetime import UTC, datetime
from typing import Annotated, Any, Final

from pydantic import AwareDatetime, Field, PlainSerializer, StringConstraints

MODE_PATTERN: Final = r"^(SPX|DPX|TPX|QPX|CPX)/(NPS1|NPS2|NPS4)$"

ModeText = Annotated[str, StringConstraints(pattern=MODE_PATTERN, max_length=8)]
"""A partition mode: compute mode, slash, memory mode, e.g. ``CPX/NPS4``."""

BdfText = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.0$", max_length=12)]
"""PCI address of a GPU, ``dddd:bb:dd.0`` in lower-case hex, the function masked."""

ObjectName = Annotated[
    str,
    StringConstraints(pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$", max_length=253),
]
"""Name of a Kubernetes object (DNS subdomain)."""

LabelName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", max_length=63)]
"""A short name (DNS label): namespaces, share groups, QoS classes."""

UidText = Annotated[str, StringConstraints(min_length=1, max_length=128)]
"""UID of a Kubernetes object."""

ModelId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9._-]+)*$", max_length=256)]
"""Identity of a model in a catalogue or hub, e.g. ``Qwen/Qwen3-8B``."""

DeviceName = Annotated[str, StringConstraints(max_length=63)]
"""Name of a device in a ResourceSlice."""

ShortText = Annotated[str, StringConstraints(max_length=256)]
"""A word or a few, for people."""

LongText = Annotated[str, StringConstraints(max_length=4096)]
"""A paragraph for people."""

ClockTime = Annotated[str, StringConstraints(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$", max_length=5)]
"""Time of day, ``HH:MM`` on a 24-hour clock."""

ConditionType = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9]([-A-Za-z0-9_./]*[A-Za-z0-9])?$", max_length=316)
]
"""Type of a condition."""

ConditionReason = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$", max_length=1024)
]
"""Reason of a condition."""

ConditionMessage = Annotated[str, StringConstraints(max_length=32768)]
"""Message of a condition."""

ByteCount = Annotated[int, Field(ge=0)]
"""A number of bytes."""


def rfc3339(moment: datetime) -> str:
    """``moment`` in UTC as RFC 3339, with microseconds only when there are any.

    Raises:
        ValueError: ``moment`` has no time zone.
    """
    if moment.tzinfo is None:
        raise ValueError(f"moment {moment.isoformat()} has no time zone: pass an aware datetime")
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _written(moment: Any) -> str:
    return rfc3339(moment)


Timestamp = Annotated[AwareDatetime, PlainSerializer(_written, return_type=str, when_used="json")]
"""A moment, written in UTC as RFC 3339."""
