import pytest

from controller.runtime.webhook.admission import encode_review
from controller.translate.request import Problem
from controller.webhooks.finding import (
    MOST_WARNINGS,
    WARNING_CHARACTERS,
    Finding,
    answer,
    ratcheted,
    refuse,
    shown,
    warn,
)

A = refuse("PolicyNotFound", "spec.a", "x", "is nothing: leave it out")
B = refuse("UnknownClass", "spec.b", 3, "is too much: lower it")
C = warn("NoManagedNodes", "spec.c", "y", "waits: add nodes")


def test_a_refusal_names_every_reason_and_shows_the_warnings_too() -> None:
    given = answer([A, C, B])
    assert (given.allowed, given.code, given.reason) == (False, 422, "Invalid")
    assert given.message == (
        "spec.a: 'x' is nothing: leave it out (PolicyNotFound); spec.b: '3' is too much: lower it (UnknownClass)"
    )
    assert given.warnings == ("spec.c: 'y' waits: add nodes",)


def test_warnings_alone_let_pass() -> None:
    assert (answer([C]).allowed, answer([C]).warnings) == (True, ("spec.c: 'y' waits: add nodes",))
    assert answer([]).warnings == ()


BEFORE = [
    pytest.param([A], [False], id="the same problem was there"),
    pytest.param([], [True], id="it was not"),
    pytest.param([refuse("PolicyNotFound", "spec.a", "x", "another remedy now")], [False], id="only the remedy moved"),
    pytest.param([refuse("PolicyNotFound", "spec.a", "z", "is nothing")], [True], id="another value was wrong"),
    pytest.param([warn("PolicyNotFound", "spec.a", "x", "is nothing")], [True], id="it was a warning then"),
]


@pytest.mark.parametrize(("before", "want_refuses"), BEFORE)
def test_an_update_is_refused_only_for_what_it_brings_in(before: list[Finding], want_refuses: list[bool]) -> None:
    assert [finding.refuses for finding in ratcheted([A], before)] == want_refuses


def test_a_warning_keeps_its_remedy_whatever_the_value() -> None:
    (text,) = shown([Problem("aim.amd.com/model-id", "q" * 5000, "is not in the catalogue")])
    assert text.endswith("...' is not in the catalogue")
    assert len(text) <= WARNING_CHARACTERS


def test_warnings_stay_within_what_the_api_server_passes_on() -> None:
    problems = [Problem(f"aim.amd.com/{number}{'k' * 300}", "v", "r" * 300) for number in range(100)]
    texts = shown([*problems, *problems])
    assert len(texts) == MOST_WARNINGS + 1
    assert all(len(text) <= WARNING_CHARACTERS for text in texts)
    assert texts[-1] == "and 88 more of this kind; mend these first"
    assert sum(map(len, texts)) < 4096
    assert b"mend these first" in encode_review("u", answer([Finding("R", each, refuses=False) for each in problems]))


def test_each_warning_is_shown_once() -> None:
    assert len(shown([Problem("k", "v", "r"), Problem("k", "v", "r"), Problem("k", "w", "r")])) == 2


def test_a_key_that_no_header_may_hold_is_escaped() -> None:
    (text,) = shown([Problem("aim.amd.com/a\r\nX: y", "v\n", "is no key")])
    assert text.isprintable()
