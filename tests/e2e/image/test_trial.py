"""The start of an image: what is started, what is judged of it, and our own image with and without defects."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from controller.entrypoints.main import AT_ONCE, VERBS
from e2e.image import BuiltImage, build_image
from e2e.image.build import ROOT
from e2e.image.check import main, summary
from e2e.image.processes import helps, process_verbs, processes
from e2e.image.trial import MANIFEST, Ended, Trial, declared, started, wrong
from e2e.plane import Progress
from tests.e2e.image.layers_kept import cache

HELPED = Ended(("crds", "--help"), 0, "Usage: aim-gpu crds")
RAN = Ended(("gateway", "--port", "1"), 0, "stopping")
GOOD = Trial((HELPED,), (RAN,), (), ("/tmp", "/tmp/x"), ("/tmp/x",), (), ())


def test_every_command_and_every_process_is_started() -> None:
    asked = {words[0] for words in helps()}
    assert asked == {*VERBS, *AT_ONCE, "--help"}
    assert process_verbs() == ["agent", "exporter", "gateway", "operator", "ui-server"]
    found = processes(process_verbs())
    ports = [word for one in found for word in one.words if word.isdigit()]
    assert len(set(ports)) == len(ports)


def test_a_process_that_nobody_said_how_to_start_is_noticed() -> None:
    with pytest.raises(KeyError):
        processes([*process_verbs(), "planner"])


def test_pods_have_one_folder_to_write_to() -> None:
    assert declared(MANIFEST.read_text(encoding="utf-8")) == ["/tmp"]


def test_an_image_that_starts_is_in_order() -> None:
    assert wrong(GOOD, ["/tmp"]) == []


@pytest.mark.parametrize(
    ("change", "want"),
    [
        (
            {"helps": (replace(HELPED, code=1, told="no module"),)},
            "aim-gpu crds --help ended with 1, 0 was expected; it said:\nno module",
        ),
        ({"helps": (replace(HELPED, code=None),)}, "aim-gpu crds --help did not end"),
        (
            {"processes": (replace(RAN, code=3),)},
            "aim-gpu gateway --port 1 ended with 3; its /healthz answered; it was to end with 0",
        ),
        ({"silent": ("gateway",)}, "its /healthz never answered; it said:\nstopping"),
        ({"writable": ("/tmp", "/var/lib")}, "may write /var/lib, which no emptyDir is"),
        ({"writable": ("/tmpfiles",)}, "may write /tmpfiles"),
        ({"raising": ("/usr/bin/su",)}, "/usr/bin/su runs with another's rights"),
        ({"loose": ("/opt/x",)}, "/opt/x is the image's user's to change"),
    ],
    ids=[
        "a command that fails",
        "one that hangs",
        "a process that fails",
        "a silent one",
        "a folder",
        "a name that only begins alike",
        "a program with rights",
        "a mode",
    ],
)
def test_what_is_wrong_is_told_with_command_and_output(change: dict[str, Any], want: str) -> None:
    (problem,) = wrong(replace(GOOD, **change), ["/tmp"])
    assert want in problem


def test_a_machine_without_root_says_what_was_not_looked_at(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("e2e.image.build.os.geteuid", lambda: 1000)
    assert main(["--where-possible"], {}) == 0
    assert "SKIPPED but for Dockerfile and lock, no image was built or started: not root" in capsys.readouterr().out
    assert main(["--where-possible"], {"CI": "true"}) == 1
    assert main([], {}) == 1
    assert capsys.readouterr().err.count("error: not root") == 2


@pytest.mark.needs_debian
@pytest.mark.timeout(600)
def test_our_image_starts_on_a_root_that_cannot_be_written(our_image: BuiltImage) -> None:
    trial = started(our_image.archive, ["/tmp"])
    assert wrong(trial, ["/tmp"]) == []
    assert trial.writable == ("/tmp",)
    assert "health answered by agent, exporter, gateway, operator" in summary(our_image, 1, trial)
    # without that folder it is one too many
    assert [problem[:35] for problem in wrong(trial, [])] == ["the image's user may write /tmp, wh"]


@pytest.mark.needs_debian
@pytest.mark.timeout(600)
def test_defects_of_an_image_are_told_by_its_start(our_image: BuiltImage, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    for name in ("Dockerfile", ".dockerignore", "pyproject.toml", "uv.lock", "README.md", "LICENSE"):
        shutil.copy2(ROOT / name, source)
    for name in ("api", "controller"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    dockerfile = source / "Dockerfile"
    dockerfile.write_text(
        dockerfile.read_text().replace("\nUSER ", "\nRUN chmod 777 /opt/aim-gpu && chmod u+s /usr/bin/find\nUSER ")
    )
    plant(source, "gateway_command", 'raise RuntimeError("planted")')
    plant(source, "exporter_command", 'open("/opt/aim-gpu/state", "w")')
    image = build_image(Progress(), source=source, name="localhost/planted:1", cache=cache(tmp_path / "cache"))
    trial = started(image.archive, ["/tmp"])
    told = "\n".join(wrong(trial, ["/tmp"]))
    assert "aim-gpu gateway --help ended with 1" in told
    assert "RuntimeError: planted" in told
    assert "aim-gpu exporter --help ended with 1" in told
    assert "Read-only file system: '/opt/aim-gpu/state'" in told
    assert "/opt/aim-gpu is the image's user's to change" in told
    assert "/usr/bin/find runs with another's rights" in told
    assert set(trial.silent) == {"exporter", "gateway"}
    assert "aim-gpu operator" not in told


def plant(source: Path, module: str, line: str) -> None:
    path = source / "controller/entrypoints" / f"{module}.py"
    docstring, rest = path.read_text().split("\n", 1)
    path.write_text(f"{docstring}\n{line}\n{rest}")


def test_make_test_checks_the_image() -> None:
    recipe = (ROOT / "Makefile").read_text(encoding="utf-8").split("\ntest: ")[1].split("\n\n")[0]
    assert "python -m e2e.image.check --where-possible || { failed=$$?" in recipe
