"""What annotations say a pod needs: the sizing request and the placement wishes. Malformed values are named."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from api.group import (
    GANG,
    GANG_SIZE,
    GPU_SHARING,
    ISOLATION,
    MAX_CONCURRENCY,
    MAX_MODEL_LEN,
    MODEL_ID,
    MODEL_PROFILE,
    PARTITION_COUNT,
    PARTITION_MIN_MEMORY,
    PARTITION_MODE,
    POLICY,
    PRECISION,
    SHARE_GROUP,
)
from api.quantity import parse_quantity
from controller.gpu.mode import Mode, ModeError
from controller.sizing.precision import Precision
from controller.sizing.requirement import SizingRequest

#: Digits of the largest number taken; int() itself refuses texts of some thousand digits with another error.
MOST_DIGITS = 10


#: Partitions that one pod may ask for, as the schema of an InferenceService has it.
MOST_PARTITIONS: Final = 64
#: Pods of the largest gang: as many as are decided together without holding up everybody else.
LARGEST_GANG: Final = 64
_LABEL: Final = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")

#: Longest value repeated in a message, characters: an annotation may have 256 KiB.
VALUE_LIMIT = 200


@dataclass(frozen=True, slots=True)
class Problem:
    """A value that cannot be used: the field (an annotation key), the value, and what to write instead."""

    field: str
    value: str
    remedy: str

    def __str__(self) -> str:
        shown = self.value if len(self.value) <= VALUE_LIMIT else self.value[:VALUE_LIMIT] + "..."
        return f"{self.field}: {shown!r} {self.remedy}"


@dataclass(frozen=True, slots=True)
class Partitions:
    """How many partitions a pod says that it is to have, and how many bytes each of them has at least."""

    count: int
    least_bytes: int = 0


@dataclass(frozen=True, slots=True)
class PodRequest:
    """What a pod asks for, parsed. `profile` names the ModelProfile that is to size the model.

    `group` names the share group of the pod's namespace that the pod is a member of; None for a pod on its own.
    `partitions`: None where the pod says nothing of them.
    """

    sizing: SizingRequest
    modes: frozenset[Mode]
    policy: str | None
    profile: str | None = None
    group: str | None = None
    partitions: Partitions | None = None


@dataclass(frozen=True, slots=True)
class GangRequest:
    """The gang a pod belongs to, and how many pods that has."""

    name: str
    size: int


def parse_request(annotations: Mapping[str, str]) -> PodRequest | tuple[Problem, ...]:
    """The request in a pod's annotations, or every problem found. Unknown models are not this function's matter."""
    problems: list[Problem] = []
    model_id = annotations.get(MODEL_ID, "")
    if annotations.get(GPU_SHARING) not in ("true", "false"):
        problems.append(Problem(GPU_SHARING, annotations.get(GPU_SHARING, ""), 'is no choice; write "true" or "false"'))
    if not model_id:
        problems.append(Problem(MODEL_ID, model_id, "is empty; name a model, e.g. meta-llama/Llama-3.1-8B-Instruct"))
    precision = _precision(annotations, problems)
    max_model_len = _positive(annotations, MAX_MODEL_LEN, problems)
    max_concurrency = _positive(annotations, MAX_CONCURRENCY, problems)
    modes = _modes(annotations, problems)
    group = _group(annotations, problems)
    problems.extend(_gang_problems(annotations))
    problems.extend(_partition_problems(annotations))
    if problems:
        return tuple(problems)
    return PodRequest(
        SizingRequest(model_id, precision, max_model_len, max_concurrency),
        modes,
        annotations.get(POLICY) or None,
        annotations.get(MODEL_PROFILE) or None,
        group,
        partitions_said(annotations),
    )


def partitions_said(annotations: Mapping[str, str]) -> Partitions | None:
    """How many partitions of which size the annotations ask for; None where they do not say, or it cannot be used."""
    count, least = annotations.get(PARTITION_COUNT), annotations.get(PARTITION_MIN_MEMORY)
    if (count is None and least is None) or any(_partition_problems(annotations)):
        return None
    return Partitions(int(count or 1), parse_quantity(least) if least is not None else 0)


def _partition_problems(annotations: Mapping[str, str]) -> Iterator[Problem]:
    count, least = annotations.get(PARTITION_COUNT), annotations.get(PARTITION_MIN_MEMORY)
    if count is not None and not _is_whole(count, MOST_PARTITIONS):
        remedy = f"is no number of partitions: write a whole number from 1 to {MOST_PARTITIONS}"
        yield Problem(PARTITION_COUNT, count, remedy)
    try:
        parse_quantity(least or "0")
    except ValueError:
        yield Problem(PARTITION_MIN_MEMORY, least or "", "is no amount of memory: write e.g. 64Gi")


def _precision(annotations: Mapping[str, str], problems: list[Problem]) -> Precision:
    text = annotations.get(PRECISION, "auto")
    try:
        return Precision(text)
    except ValueError:
        choices = ", ".join(precision.value for precision in Precision)
        problems.append(Problem(PRECISION, text, f"is unknown; choose one of {choices}"))
        return Precision.AUTO


def _positive(annotations: Mapping[str, str], key: str, problems: list[Problem]) -> int | None:
    text = annotations.get(key)
    if text is None:
        return None
    if text.isascii() and text.isdigit() and len(text) <= MOST_DIGITS and 0 < int(text) <= 2**31 - 1:
        return int(text)
    problems.append(Problem(key, text, "is no positive whole number; write e.g. 8192"))
    return None


def _modes(annotations: Mapping[str, str], problems: list[Problem]) -> frozenset[Mode]:
    text = annotations.get(PARTITION_MODE)
    if text is None:
        return frozenset()
    try:
        return frozenset({Mode.parse(text)})
    except ModeError as error:
        problems.append(Problem(PARTITION_MODE, text, f"is no mode: {error}"))
        return frozenset()


def _group(annotations: Mapping[str, str], problems: list[Problem]) -> str | None:
    isolation, group = annotations.get(ISOLATION, "hardware"), annotations.get(SHARE_GROUP)
    if isolation not in ("hardware", "cooperative"):
        problems.append(Problem(ISOLATION, isolation, "is unknown; write hardware, or cooperative with a share group"))
    elif isolation == "cooperative" and group is None:
        remedy = f"needs a group of pods to share with; name it in {SHARE_GROUP}, or write hardware"
        problems.append(Problem(ISOLATION, isolation, remedy))
    elif isolation == "hardware" and group is not None:
        remedy = f"shares one partition; write {ISOLATION}: cooperative, or leave {SHARE_GROUP} out"
        problems.append(Problem(SHARE_GROUP, group, remedy))
    elif group is not None and not _LABEL.fullmatch(group):
        remedy = "is no name; write at most 63 lower-case letters, digits and dashes, a letter or digit at both ends"
        problems.append(Problem(SHARE_GROUP, group, remedy))
    return group


def gang_request(annotations: Mapping[str, str]) -> GangRequest | None:
    """The gang that a pod belongs to; None for one that stands alone, or whose annotations cannot be used."""
    if GANG not in annotations or _gang_problems(annotations):
        return None
    return GangRequest(annotations[GANG], int(annotations[GANG_SIZE]))


def _gang_problems(annotations: Mapping[str, str]) -> list[Problem]:
    """What is wrong with the gang: both annotations are given, or neither, and no share group beside them."""
    name, size = annotations.get(GANG), annotations.get(GANG_SIZE)
    problems: list[Problem] = []
    if name is not None and not _LABEL.fullmatch(name):
        problems.append(Problem(GANG, name, "is no name: write up to 63 of a-z, 0-9 and -, e.g. llama-ranks"))
    if name is not None and size is None:
        problems.append(Problem(GANG_SIZE, "", f"is missing: write how many pods gang {name} has, e.g. 4"))
    if name is None and size is not None:
        problems.append(Problem(GANG, "", f"is missing, and {GANG_SIZE} says nothing without: name the gang"))
    if size is not None and not _is_gang_size(size):
        remedy = f"is no size of a gang: write a whole number from 1 to {LARGEST_GANG}"
        problems.append(Problem(GANG_SIZE, size, remedy))
    if name is not None and SHARE_GROUP in annotations:
        remedy = f"is of pods that have a partition each; leave it out, or {SHARE_GROUP}, whose members share one"
        problems.append(Problem(GANG, name, remedy))
    return problems


def _is_gang_size(text: str) -> bool:
    return _is_whole(text, LARGEST_GANG)


def _is_whole(text: str, most: int) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= MOST_DIGITS and 1 <= int(text) <= most
