from pathlib import Path

import pytest

from controller.agent.backend import BackendError, NotPermitted, NotSupported, RestartFailed
from controller.agent.modprobe import ModprobeRunner, Outcome, reload_amdgpu


class Recorded:
    """Ends as told, in order, and notes what it was run with."""

    def __init__(self, *outcomes: Outcome) -> None:
        self.outcomes = list(outcomes)
        self.arguments: list[tuple[str, ...]] = []

    def run(self, arguments: tuple[str, ...]) -> Outcome:
        self.arguments.append(arguments)
        return self.outcomes.pop(0)


DONE = Outcome(0, "")


def test_a_reload_is_two_runs() -> None:
    runner = Recorded(DONE, DONE)
    reload_amdgpu(runner)
    assert runner.arguments == [("-r", "amdgpu"), ("amdgpu",)]


@pytest.mark.parametrize(
    ("outcomes", "error", "want"),
    [
        pytest.param([Outcome(1, "Module amdgpu is in use.")], RestartFailed, "in use.: the driver stays", id="in use"),
        pytest.param([Outcome(1, "Operation not permitted")], NotPermitted, "run the agent as root", id="no root"),
        pytest.param(
            [DONE, Outcome(1, "Unknown symbol")], RestartFailed, "the node has no GPU driver now", id="not loaded again"
        ),
    ],
)
def test_a_reload_that_fails_says_what_is_left(outcomes: list[Outcome], error: type[BackendError], want: str) -> None:
    runner = Recorded(*outcomes)
    with pytest.raises(error, match=want):
        reload_amdgpu(runner)
    assert runner.outcomes == []


def program(folder: Path, text: str) -> Path:
    path = folder / "modprobe"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def test_the_program_gets_its_arguments_as_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(tmp_path, f'printf "%s|" "$@" > {tmp_path}/seen; echo told >&2; exit 3')
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    assert ModprobeRunner().run(("-r", "a b; touch c")) == Outcome(3, "told")
    assert (tmp_path / "seen").read_text() == "-r|a b; touch c|"


def test_no_program_is_not_supported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NotSupported, match="use an image that has kmod"):
        ModprobeRunner().run(("amdgpu",))
