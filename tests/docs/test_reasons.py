"""The reverse of the list of symptoms: every reason that a person can meet is on a page, with what helps."""

import re
from functools import cache
from typing import Final

import pytest

from tests.docs.blocks import ROOT
from tests.docs.condition_reasons import TELLERS, errors, modules, reasons
from tests.docs.page_commands import DOCS

#: Who writes conditions, explanations, Events and answers.
ROOMS: Final = (
    *("agent", "gateway", "placement", "qos", "reconcilers", "repartition", "state", "translate", "webhooks"),
)
#: They make an Event, or a condition.
MAKERS: Final = frozenset({"Note", "Verdict", "_Verdict", "_annotations_verdict"})
NONE: Final = frozenset(
    {  # words that stand where reasons do and are none: an Event's type and action, Kubernetes' own words, counters
        *("Bind", "CheckHealth", "Handover", "Observe", "Place", "Preempt", "Quarantine", "Rebind", "Repartition"),
        *("Replace", "Normal", "Warning", "Auto", "Manual", "Equal", "ExactCount", "Exists", "NoExecute", "NoSchedule"),
        *("AboutToGet", "Invalid", "Released", "Succeeded", "Undecided", "Unhealthy"),
        *("ModelFileError", "UnknownArchitecture"),  # of files, which only the command line reads
        "InvalidFacts",  # told as FactsInvalid
    }
)
#: The list, and the two tables that it links to for all of a sort: a page, and a heading or "".
PLACES: Final = (
    ("troubleshooting.md", ""),
    ("concepts.md", "### Checks"),
    ("qos.md", "## How requests are ordered"),
    ("qos.md", "## How requests pass"),
)


def part(page: str, heading: str) -> str:
    """A page, or what stands under a heading of it before the next one of its degree."""
    text = (DOCS / page).read_text(encoding="utf-8")
    if not heading:
        return text
    begun = text.partition(f"\n{heading}\n")[2]
    assert begun, f"{page} has no {heading}"
    return re.split(rf"^#{{2,{len(heading.split()[0])}}} ", begun, maxsplit=1, flags=re.MULTILINE)[0]


def told() -> set[str]:
    """The words in code on those pages."""
    return {word for page, heading in PLACES for word in re.findall(r"`([A-Z]\w*)`", part(page, heading))}


@cache
def met() -> frozenset[str]:
    """What the code can tell somebody."""
    return frozenset(reasons(modules(*ROOMS), TELLERS | MAKERS) | errors("SizingError"))


def test_every_reason_is_on_a_page() -> None:
    assert met() - told() - NONE == set()
    assert met() >= NONE


@pytest.mark.parametrize(
    "reason",
    [
        *("LengthTooLong", "InvalidRequest", "MisspeltAnnotation", "OutOfRange", "PinRefused", "GateRemoved"),
        *("ProfileInvalid", "BindingMismatch", "NotAdvertised", "ProfilesNotWritten", "IdleGPUsTaken"),
        *("NoPlaceForVictim", "GainLost", "PodMoved", "RateLimited", "GpusMissing", "WindowInvalid"),
    ],
)
def test_reasons_of_all_sorts_are_looked_for(reason: str) -> None:
    assert reason in met()


def rows(text: str) -> dict[str, str]:
    """Tables' rows by their first cell, links without where they lead."""
    plain = re.sub(r"\]\([^)]*\)", "]", text)
    found = re.findall(r"^\| (.*?) \| (.*) \|$", plain, re.MULTILINE)
    return {first: rest for first, rest in found if first.startswith("`")}


def test_the_readme_repeats_few_and_says_the_same() -> None:
    section = (
        (ROOT / "README.md").read_text(encoding="utf-8").partition("\n## Troubleshooting\n")[2].partition("\n## ")[0]
    )
    repeated = rows(section)
    assert len(repeated) == 5
    assert repeated.items() <= rows(part("troubleshooting.md", "")).items()
    assert "](docs/troubleshooting.md)" in section


#: Sentences of others: Kubernetes' and a shell's. `...` stands for what differs.
OTHERS: Final = (
    "command not found",
    "failed calling webhook",
    "admission webhook",
    "denied request",
    "conversion webhook",
)


def test_sentences_that_symptoms_are_known_by_are_said_by_the_code() -> None:
    firsts = re.findall(r"^\| (.*?) \| ", part("troubleshooting.md", ""), re.MULTILINE)
    said = [text for first in firsts for text in re.findall(r"`([^`]+)`", first) if " " in text]
    ours = [text for text in said if not any(other in text for other in OTHERS) and "{" not in text]
    assert len(ours) > 8
    source = "".join(
        path.read_text(encoding="utf-8", errors="ignore")
        for folder in ("api", "controller", "e2e", "Makefile")
        for path in ([ROOT / folder] if (ROOT / folder).is_file() else (ROOT / folder).rglob("*.py"))
    )
    joined = re.sub(r'"\s*\n\s*f?"', "", source)
    missing = [text for text in ours for piece in text.split("...") if not _in(piece.strip(), joined)]
    assert missing == []


def _in(piece: str, source: str) -> bool:
    """Whether a source says it, with anything in braces for numbers and names."""
    words = [re.escape(word) for word in piece.split()]
    pattern = r" ".join(rf"(?:{word}|(?:\{{[^}}]*\}}[.,:]?)+)" for word in words)
    return not words or re.search(pattern, source) is not None
