"""What keeps a run from taking place is told before anything is built."""

import signal
from pathlib import Path

import pytest

from e2e.plane.build import Binaries
from e2e.plane.errors import PackagesUnavailable
from e2e.plane.programs import Family
from e2e.run import command
from e2e.run.command import Place, main
from e2e.run.expectation import Expectation, expectation
from e2e.run.screen import Screen
from e2e.run.session import Ended, Settings


@pytest.fixture(autouse=True)
def interrupts(monkeypatch: pytest.MonkeyPatch) -> None:
    """How this process is ended stays as it is."""
    monkeypatch.setattr(signal, "signal", lambda *_: None)


def test_where_no_prometheus_can_be_had_nothing_is_built(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def unavailable(*_: object) -> None:
        raise PackagesUnavailable("there is no apt-get here")

    def families() -> list[Family]:
        raise AssertionError("the plane's programs are built")

    async def run(settings: Settings, expectation: Expectation, binaries: Binaries, screen: Screen) -> Ended:
        raise AssertionError("it runs")

    monkeypatch.setattr(command, "ensure_prometheus", unavailable)
    place = Place("e2e.run", expectation, lambda _: "simulated", families, run, metrics=True)
    assert main(place, ["--once", "--prometheus", "--folder", str(tmp_path / "kept")]) == 1
    assert capsys.readouterr().err.endswith("error: there is no apt-get here\n")
    assert not (tmp_path / "kept").exists()
