"""What the mirrored condition says of a service: from its annotations, and from what became of its pods. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from api.group import GPU_SHARING
from controller.translate.annotation_keys import misspelt
from controller.translate.request import Problem, parse_request

#: Longest message of the condition, characters.
MESSAGE_LIMIT = 1024

INVALID = "InvalidRequest"
MISSPELT = "MisspeltAnnotation"


@dataclass(frozen=True, slots=True)
class PodStanding:
    """One pod: whether it holds a partition, and if it was told no, the CamelCase reason and the sentence."""

    name: str
    held: bool
    reason: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Status, reason and message of the condition. `fault`: what is wrong with the annotations, empty if nothing is."""

    status: Literal["True", "False"]
    reason: str
    message: str
    fault: str = ""


def verdict(annotations: Mapping[str, str], pods: Sequence[PodStanding], *, stopped: bool) -> Verdict | None:
    """What there is to say; None for a service that takes no part, and does not seem to mean to.

    `annotations`: as they reach the pods. `pods`: those that live, in any order.
    """
    choice = annotations.get(GPU_SHARING)
    wrong_keys = misspelt(annotations)
    if choice == "false" or (choice is None and not wrong_keys):
        return None
    counted = f"{sum(pod.held for pod in pods)} of {len(pods)} pods hold a partition"
    request = parse_request(annotations) if choice is not None else None
    invalid = request if isinstance(request, tuple) else ()
    if invalid or wrong_keys:
        return _annotations_verdict((*invalid, *wrong_keys), INVALID if invalid else MISSPELT, counted)
    return _pods_verdict(pods, counted, stopped=stopped)


def _annotations_verdict(problems: Sequence[Problem], reason: str, counted: str) -> Verdict:
    # The count comes last: a text that is too long is cut there.
    told = "; ".join(map(str, problems))
    return Verdict("False", reason, f"{told}; {counted}"[:MESSAGE_LIMIT], told)


def _pods_verdict(pods: Sequence[PodStanding], counted: str, *, stopped: bool) -> Verdict:
    if not pods:
        return (
            Verdict("False", "Stopped", "the service is stopped")
            if stopped
            else Verdict("False", "NoPods", "no pod yet")
        )
    refused = min((pod for pod in pods if pod.reason), key=lambda pod: pod.name, default=None)
    if refused is not None:
        return Verdict("False", refused.reason, f"{counted}; pod {refused.name}: {refused.message}"[:MESSAGE_LIMIT])
    if all(pod.held for pod in pods):
        return Verdict("True", "PartitionsAllocated", counted)
    return Verdict("False", "Pending", counted)
