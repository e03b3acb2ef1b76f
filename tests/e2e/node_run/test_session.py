"""What a run on real nodes asks of the machine, before anything is built or written."""

import pytest

from e2e.image import PrerequisiteMissing
from e2e.node_run import __main__ as command
from e2e.node_run import session
from e2e.plane.errors import NodeUnavailable
from e2e.run.command import main
from e2e.run.errors import RunError


def refuse(error: Exception) -> None:
    raise error


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """One on which everything is there."""
    monkeypatch.setattr(session, "check_for_nodes", lambda: None)
    monkeypatch.setattr(session, "require_builder", lambda: None)


def test_a_machine_that_has_all_is_taken() -> None:
    session.require()


def test_a_machine_that_builds_no_images_is_refused_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "require_builder", lambda: refuse(PrerequisiteMissing("perl not on PATH: use Debian")))

    with pytest.raises(RunError, match="the image cannot be built here: perl not on PATH: use Debian"):
        session.require()


def test_the_refusal_comes_before_anything_is_built(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(session, "check_for_nodes", lambda: refuse(NodeUnavailable("a real node needs root")))
    monkeypatch.setattr("e2e.run.command.signal.signal", lambda *_given: None)  # as pytest has it
    monkeypatch.setattr("e2e.run.command.ensure_binaries", lambda *_given, **_more: pytest.fail("it was built"))
    monkeypatch.setattr("e2e.run.command._own_folder", lambda _given: pytest.fail("a folder was made"))

    assert main(command.REAL, ["--once"]) == 1
    assert capsys.readouterr().err == "error: a real node needs root\n"
