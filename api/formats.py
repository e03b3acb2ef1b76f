"""Texts with a form, as annotated types: the schema carries the pattern and the remedy, the API server enforces them.

Every text is bounded, so that the API server can estimate what a CEL rule over it costs. A short form has room to
spare: a text that is too long stops the API server before it comes to the rule that names the remedy.
"""

from datetime import UTC, datetime
from typing import Annotated, Any, Final

from pydantic import AwareDatetime, Field, PlainSerializer, StringConstraints

from api.markers import Remedy

MODE_PATTERN: Final = r"^(SPX/NPS1|DPX/NPS[12]|TPX/NPS1|(QPX|CPX)/NPS[124])$"
"""The modes that some product has: partitions share memory ranges evenly, so there are never more ranges."""

ModeText = Annotated[
    str,
    StringConstraints(pattern=MODE_PATTERN, max_length=32),
    Remedy(
        "is no partition mode that a GPU has: write SPX/NPS1, DPX/NPS1, DPX/NPS2 or TPX/NPS1, or QPX or CPX with NPS1, "
        "NPS2 or NPS4, such as CPX/NPS4"
    ),
]
"""A partition mode as users ask for it: compute mode, slash, memory mode, e.g. ``CPX/NPS4``."""

ReportedMode = Annotated[
    str,
    StringConstraints(pattern=r"^(SPX|DPX|TPX|QPX|CPX)/(NPS1|NPS2|NPS4)$", max_length=32),
    Remedy(
        "is no partition mode: write one of SPX, DPX, TPX, QPX and CPX, a slash, and one of NPS1, NPS2 and NPS4, "
        "such as CPX/NPS4"
    ),
]
"""A partition mode as hardware reports it and the operator passes it on: any pair, whether we know a product or not."""

BdfText = Annotated[
    str,
    StringConstraints(pattern=r"^[0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.0$", max_length=32),
    Remedy("is no PCI address of a GPU: write dddd:bb:dd.0 in lower-case hex, such as 0000:05:00.0"),
]
"""PCI address of a GPU, ``dddd:bb:dd.0`` in lower-case hex, the function masked."""

ObjectName = Annotated[
    str,
    StringConstraints(pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$", max_length=253),
    Remedy(
        "cannot be the name of an object: write lower-case letters, digits, dashes and dots, beginning and ending with "
        "a letter or digit"
    ),
]
"""Name of a Kubernetes object (DNS subdomain)."""

LabelName = Annotated[
    str,
    StringConstraints(pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", max_length=63),
    Remedy(
        "is no short name: write lower-case letters, digits and dashes, beginning and ending with a letter or digit"
    ),
]
"""A short name (DNS label): namespaces, share groups, QoS classes."""

UidText = Annotated[str, StringConstraints(min_length=1, max_length=128)]
"""UID of a Kubernetes object."""

ModelId = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9._-]+)*$", max_length=256),
    Remedy("is no model id: write it as its publisher does, organisation, slash and name, such as Qwen/Qwen3-8B"),
]
"""Identity of a model in a catalogue or hub, e.g. ``Qwen/Qwen3-8B``."""

DeviceName = Annotated[str, StringConstraints(max_length=63)]
"""Name of a device in a ResourceSlice."""

ShortText = Annotated[str, StringConstraints(max_length=256)]
"""A word or a few, for people."""

LongText = Annotated[str, StringConstraints(max_length=4096)]
"""A paragraph for people."""

ClockTime = Annotated[
    str,
    StringConstraints(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$", max_length=32),
    Remedy("is no time of day: write HH:MM on a 24-hour clock, such as 22:30"),
]
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
