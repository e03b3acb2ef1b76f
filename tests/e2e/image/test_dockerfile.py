"""The Dockerfile's language, as far as it is known here, and our own Dockerfile in it."""

from pathlib import Path

import pytest

from e2e.image.dockerfile import Arg, Copy, Entrypoint, Env, Run, User, expand, parse
from e2e.image.errors import DockerfileError

ROOT = Path(__file__).parents[3]


def instructions(text: str) -> list[object]:
    return [step.instruction for step in parse(f"FROM debian:bookworm-slim\n{text}").stages[0].steps]


def test_lines_are_joined_over_comments() -> None:
    (run,) = instructions("RUN a \\\n    # why\n    && b\n")
    assert isinstance(run, Run)
    assert run.words[2].split() == ["a", "&&", "b"]


def test_each_instruction_has_its_own_shape() -> None:
    read = instructions('ARG A=1\nENV B="two words" C=3\nCOPY --from=x /a /b\nUSER 1:2\nENTRYPOINT ["x", "y"]')
    assert read == [
        Arg("A", "1"),
        Env({"B": "two words", "C": "3"}),
        Copy(("/a",), "/b", "x"),
        User("1:2"),
        Entrypoint(("x", "y")),
    ]


def test_stages_have_names_or_numbers_and_arguments_fill_their_bases() -> None:
    read = parse("ARG RELEASE=bookworm\nFROM debian:${RELEASE}-slim AS base\nFROM base\n")
    assert [(stage.name, stage.base) for stage in read.stages] == [("base", "debian:bookworm-slim"), ("1", "base")]


@pytest.mark.parametrize(
    ("text", "want_line", "want"),
    [
        ("FROM x\nADD a b", 2, "ADD is not known here"),
        ("FROM x\nHEALTHCHECK NONE", 2, "HEALTHCHECK is not known here"),
        ("FROM --platform=linux/arm64 x", 1, "only FROM IMAGE"),
        ("FROM x\nRUN --mount=type=cache,target=/c true", 2, "--mount"),
        ("FROM x\nRUN <<E\ntrue\nE", 2, "here-documents"),
        ("FROM x\nCOPY --chown=1 a b", 2, "--chown"),
        ("FROM x\nCOPY --from=y --chmod=1 a b", 2, "--chmod"),
        ("FROM x\nCOPY a b c", 2, "end it with /"),
        ("FROM x\nENTRYPOINT aim-gpu", 2, "as a list"),
        ("FROM x\n\n# c\nENV A", 4, "NAME=VALUE"),
        ("RUN true", 1, "before the first FROM"),
        ("FROM x\nRUN true \\", 2, "nothing follows"),
        ("# nothing", 1, "no FROM"),
        ("# syntax=a/b:latest\nFROM x", 1, "# syntax=: it changes what a Docker engine reads"),
        ("#Escape = `\nFROM x", 1, "# Escape=: it changes"),
        ("FROM x\nRUN ab\\\n  c", 2, "put a space before the backslash"),
    ],
)
def test_what_is_not_known_is_refused_with_its_line(text: str, want_line: int, want: str) -> None:
    with pytest.raises(DockerfileError, match=want) as refused:
        parse(text)
    assert refused.value.line == want_line


@pytest.mark.parametrize(
    ("text", "want"),
    [("$A-${A}", "1-1"), ("${B:-x}", "x"), ("${A:-x}", "1"), ("[$B]", "[]"), (r"\$A", "$A"), ("A$", "A$")],
)
def test_variables_are_filled_in_as_a_shell_would(text: str, want: str) -> None:
    assert expand(text, {"A": "1"}) == want


def test_our_image_runs_the_command_as_nobody_in_particular() -> None:
    last = {
        type(step.instruction): step.instruction for step in parse((ROOT / "Dockerfile").read_text()).stages[-1].steps
    }
    assert last[User] == User("65532:65532")
    assert last[Entrypoint] == Entrypoint(("aim-gpu",))
