"""Building with a Go that is a shell script: it counts its runs, takes its time, and writes what it was told to.

Its modules are all one folder beside it.
"""

import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from e2e.plane.build import Target, build, ensure_binaries
from e2e.plane.cache import program_path
from e2e.plane.errors import BuildError
from e2e.plane.programs import FAMILIES, KSERVE, programs
from e2e.plane.progress import Progress, Step

ETCD = FAMILIES[0]
ROOT = Path(__file__).parents[3]

COMPILER = """#!/bin/sh
if [ "$1" = version ]; then echo "go version go1.26.6 linux/amd64"; exit 0; fi
if [ "$1" = mod ]; then echo "{{\\"Dir\\": \\"$(dirname "$0")/module\\"}}"; exit 0; fi
echo run >> "$(dirname "$0")/runs"
while [ "$1" != -o ]; do shift; done
printf half > "$2"
{act}
printf whole >> "$2"
"""


def fake_go(folder: Path, act: str = "") -> Path:
    go = folder / "bin" / "go"
    go.parent.mkdir(exist_ok=True)
    go.write_text(COMPILER.format(act=act))
    go.chmod(0o755)
    return go


def environment(folder: Path, **more: str) -> dict[str, str]:
    return {"PATH": f"{folder / 'bin'}:/usr/bin:/bin", "XDG_CACHE_HOME": str(folder / "cache"), "KSERVE": "0", **more}


def etcd_target(folder: Path) -> Target:
    program = ETCD.programs[0]
    return Target(ETCD, program, program_path(folder / "cache" / "aim-gpu-sharing", ETCD, program))


def silent_step() -> Step:
    return Step(Progress(io.StringIO()), "building", 1)


def runs(folder: Path) -> int:
    return len((folder / "bin" / "runs").read_text().splitlines())


def module_files(folder: Path) -> list[Path]:
    """What KServe's module must have, each file with two objects."""
    assert KSERVE.manifests is not None
    files = [folder / "bin" / "module" / name for name in KSERVE.manifests.files]
    for file in files:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"---\nkind: First\n---\nkind: Second\nname: {file.name}\n---\n")
    return files


def start_build(folder: Path, **more: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "e2e.plane", "build"],
        cwd=ROOT,
        env=environment(folder, **more),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def wait_for(path: Path) -> None:
    deadline = time.monotonic() + 60
    while not path.exists():
        assert time.monotonic() < deadline, f"{path} did not appear"
        time.sleep(0.02)


def test_everything_is_built_once_and_found_again(tmp_path: Path) -> None:
    fake_go(tmp_path)
    told = io.StringIO()

    first = ensure_binaries(Progress(told), environment(tmp_path))
    again = ensure_binaries(Progress(told), environment(tmp_path))

    assert first == again
    assert list(first) == [program.name for _, program in programs()]
    assert {path.read_text() for path in first.values()} == {"halfwhole"}
    assert runs(tmp_path) == 5
    assert "[5/5] building kube-scheduler 1.35.4: done in" in told.getvalue()


def test_provided_programs_are_not_built_and_the_others_are(tmp_path: Path) -> None:
    fake_go(tmp_path)
    assets = tmp_path / "assets"
    assets.mkdir()
    for name, told in (("etcd", "etcd Version: 3.6.1"), ("kube-apiserver", "Kubernetes v1.34.0")):
        (assets / name).write_text(f"#!/bin/sh\necho '{told}'\n")
        (assets / name).chmod(0o755)
    said = io.StringIO()

    found = ensure_binaries(Progress(said), environment(tmp_path, KUBEBUILDER_ASSETS=str(assets)))

    assert found["etcd"] == assets / "etcd"
    assert found["kube-apiserver"].read_text() == "halfwhole"
    assert runs(tmp_path) == 4
    assert "kube-apiserver is 1.34.0, wanted 1.35: building it" in said.getvalue()
    assert "kwok is not in KUBEBUILDER_ASSETS" in said.getvalue()


def test_two_builds_at_once_compile_each_program_once(tmp_path: Path) -> None:
    fake_go(tmp_path, act="sleep 0.3")

    builds = [start_build(tmp_path), start_build(tmp_path)]
    outputs = [started.communicate(timeout=30) for started in builds]

    assert [started.returncode for started in builds] == [0, 0], outputs
    assert outputs[0][0] == outputs[1][0]
    assert runs(tmp_path) == 6  # a plane's five, and Helm


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL], ids=["Ctrl-C", "kill -9"])
def test_an_interrupted_build_leaves_nothing_that_looks_built(number: signal.Signals, tmp_path: Path) -> None:
    fake_go(tmp_path, act='touch "$(dirname "$0")/compiling"; sleep 2')
    target = etcd_target(tmp_path)
    interrupted = start_build(tmp_path)
    wait_for(tmp_path / "bin" / "compiling")

    os.kill(interrupted.pid, number)
    interrupted.communicate(timeout=10)

    assert not target.path.exists()
    build(target, fake_go(tmp_path), silent_step(), environment(tmp_path))
    assert target.path.read_text() == "halfwhole"
    assert [entry.name for entry in target.path.parent.iterdir()] == ["etcd"]


def test_a_failed_build_shows_the_last_lines_and_leaves_nothing(tmp_path: Path) -> None:
    go = fake_go(tmp_path, act="echo 'undefined: everything' >&2; exit 2")
    target = etcd_target(tmp_path)

    with pytest.raises(BuildError, match=r"did not build \(go ended with 2\)[\s\S]*undefined: everything"):
        build(target, go, silent_step(), environment(tmp_path))

    assert list(target.path.parent.iterdir()) == []


def test_kserve_is_built_only_when_asked_for_with_its_manifests_as_json(tmp_path: Path) -> None:
    fake_go(tmp_path)
    module_files(tmp_path)
    told = io.StringIO()

    without = ensure_binaries(Progress(told), environment(tmp_path))
    with_it = ensure_binaries(Progress(told), environment(tmp_path), families=(KSERVE,))

    assert not any(name.startswith("kserve") for name in without)
    assert list(with_it) == ["kserve-manager", "kserve-llmisvc", "kserve-manifests.json"]
    copied = json.loads(with_it["kserve-manifests.json"].read_text())
    assert copied["config/rbac/role.yaml"] == [{"kind": "First"}, {"kind": "Second", "name": "role.yaml"}]
    assert "[3/3] building kserve-manifests.json 0.20.0: done in" in told.getvalue()


def test_a_module_without_a_listed_file_fails_and_leaves_nothing(tmp_path: Path) -> None:
    fake_go(tmp_path)
    module_files(tmp_path)[3].unlink()

    with pytest.raises(BuildError, match=r"servingruntimes\.yaml cannot be read .* does this version of the module"):
        ensure_binaries(Progress(io.StringIO()), environment(tmp_path), families=(KSERVE,))

    assert list(tmp_path.glob("cache/*/kserve/*/*.json*")) == []


@pytest.mark.parametrize(("choice", "want"), [("0", 6), ("1", 9)], ids=["KSERVE=0", "KSERVE=1"])
def test_the_build_command_makes_kserve_too_unless_told_not_to(choice: str, want: int, tmp_path: Path) -> None:
    fake_go(tmp_path)
    module_files(tmp_path)

    output, _ = start_build(tmp_path, KSERVE=choice).communicate(timeout=30)

    assert len(output.splitlines()) == want
