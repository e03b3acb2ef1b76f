"""What a check found on an object, and the answer to the API server that lists all of it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from controller.runtime.webhook.admission import AdmissionResponse, allow
from controller.translate.request import Problem

#: The API server cuts warnings at so many characters one, and all of a request at 4096.
WARNING_CHARACTERS = 256
#: Warnings shown; with the one that counts the rest they stay below 4096 characters, quoted or not.
MOST_WARNINGS = 12
#: Longest value shown in a warning, so that the remedy stays readable.
WARNING_VALUE_CHARACTERS = 60
#: HTTP status and reason of a refusal: the object can be read and cannot be taken.
UNPROCESSABLE = 422


@dataclass(frozen=True, slots=True)
class Finding:
    """One problem: its CamelCase reason (as in conditions), field, value and remedy, and whether it refuses."""

    reason: str
    problem: Problem
    refuses: bool = True

    def __str__(self) -> str:
        return f"{self.problem} ({self.reason})"


def warn(reason: str, field: str, value: object, remedy: str) -> Finding:
    """A finding that is shown and lets the object pass."""
    return Finding(reason, Problem(field, str(value), remedy), refuses=False)


def refuse(reason: str, field: str, value: object, remedy: str) -> Finding:
    """A finding for which the object is refused."""
    return Finding(reason, Problem(field, str(value), remedy))


def answer(findings: Sequence[Finding]) -> AdmissionResponse:
    """One refusal that names every reason for it, or leave to pass; with the warnings either way."""
    warnings = shown(finding.problem for finding in findings if not finding.refuses)
    refusals = dict.fromkeys(str(finding) for finding in findings if finding.refuses)
    if not refusals:
        return allow(warnings=warnings)
    return AdmissionResponse(
        False, warnings=warnings, message="; ".join(refusals), code=UNPROCESSABLE, reason="Invalid"
    )


def ratcheted(findings: Iterable[Finding], before: Iterable[Finding]) -> list[Finding]:
    """The findings, with those that the object had before the update made warnings.

    Whoever scales a service whose policy was deleted since did not bring that problem in.
    """
    known = {(finding.reason, finding.problem.field, finding.problem.value) for finding in before if finding.refuses}
    return [
        replace(finding, refuses=False)
        if (finding.reason, finding.problem.field, finding.problem.value) in known
        else finding
        for finding in findings
    ]


def shown(problems: Iterable[Problem]) -> tuple[str, ...]:
    """Problems as warnings: each once, within what the API server passes on, in order."""
    texts = list(dict.fromkeys(map(_warning, problems)))
    if len(texts) <= MOST_WARNINGS:
        return tuple(texts)
    return (*texts[:MOST_WARNINGS], f"and {len(texts) - MOST_WARNINGS} more of this kind; mend these first")


def _warning(problem: Problem) -> str:
    value = problem.value
    if len(value) > WARNING_VALUE_CHARACTERS:
        value = value[:WARNING_VALUE_CHARACTERS] + "..."
    # a pod's annotations are looked at before the API server has checked its keys
    field = problem.field if problem.field.isprintable() else ascii(problem.field)
    text = str(Problem(field, value, problem.remedy))
    return text if len(text) <= WARNING_CHARACTERS else text[: WARNING_CHARACTERS - 3] + "..."
