"""An answer that cannot be written: one sentence and exit code 1, whatever the verb; and none where a reader has gone."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.controller.cli.conftest import KUBECONFIG

PROGRAM = "import sys; from controller.entrypoints.main import main; sys.argv[0] = 'aim-gpu'; main()"
NODES = "sn,cpu_milli,memory_mib,gpu,model\nn,64000,262144,8,G2\n"
PODS = "name,cpu_milli,memory_mib,num_gpu,gpu_milli\np,4000,1024,1,500\n"
SERVICE = """
apiVersion: aim.amd.com/v1beta1
kind: InferenceService
metadata: {name: more, namespace: team-a}
spec: {model: {id: Qwen/Qwen3-4B}}
"""

ANSWERS = [
    "--help",
    "--version",
    "crds",
    "completion bash",
    "completion --help",
    "size Qwen/Qwen3-4B",
    "size Qwen/Qwen3-4B -o yaml",
    "profiles show Qwen/Qwen3-4B --gpu MI300X",
    "profiles list --gpu MI300X",
    "plan -f service.yaml",
    "plan -f service.yaml -o json",
    "inventory --simulate MI300X=CPX/NPS4 --write-tree tree",
    "simulate --nodes nodes.csv --pods pods.csv --seeds 1",
    "operator --help",
    "__complete zsh ex",
]


def run(line: str, folder: Path, shell: str, *, unbuffered: str = "") -> subprocess.CompletedProcess[str]:
    """The program with these words as a shell starts it, such as with `"$@" >/dev/full`."""
    (folder / "service.yaml").write_text(SERVICE)
    (folder / "nodes.csv").write_text(NODES)
    (folder / "pods.csv").write_text(PODS)
    return subprocess.run(
        ["bash", "-c", shell, "bash", sys.executable, "-c", PROGRAM, *line.split()],
        cwd=folder,
        env={**os.environ, "PYTHONUNBUFFERED": unbuffered, "PYTHONPATH": str(Path(__file__).parents[3])},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


@pytest.mark.parametrize("line", ANSWERS)
def test_without_room_every_verb_says_so_in_one_sentence(line: str, tmp_path: Path) -> None:
    told = run(line, tmp_path, '"$@" >/dev/full')
    assert told.returncode == 1
    *beside, last = told.stderr.splitlines()
    assert last == ("error: the answer cannot be written (No space left on device); make room, or send it elsewhere"), (
        told.stderr
    )
    assert not [each for each in beside if "Traceback" in each or "Exception ignored" in each]


@pytest.mark.parametrize(
    ("shell", "why"),
    [
        ('"$@" >/dev/full', "No space left on device"),
        ('"$@" 1</dev/null', "Bad file descriptor"),
        ('"$@" >&-', "stdout is closed"),
    ],
)
@pytest.mark.parametrize("unbuffered", ["", "1"], ids=["in blocks", "as in the image"])
@pytest.mark.parametrize("line", ["crds", "size --help", "rocm --help"])
def test_so_it_is_told_why(line: str, shell: str, why: str, unbuffered: str, tmp_path: Path) -> None:
    told = run(line, tmp_path, shell, unbuffered=unbuffered)
    assert (told.returncode, told.stderr.splitlines()) == (
        1,
        [f"error: the answer cannot be written ({why}); make room, or send it elsewhere"],
    )


def test_where_nobody_can_be_told_it_ends_alike(tmp_path: Path) -> None:
    assert run("crds", tmp_path, '"$@" >/dev/full 2>&1').returncode == 1
    assert run("crds", tmp_path, '"$@" >&- 2>&-').returncode == 1


@pytest.mark.parametrize("line", ["crds", "profiles list -o json"])
def test_who_has_seen_enough_is_told_nothing(line: str, tmp_path: Path) -> None:
    told = run(line, tmp_path, '"$@" | head -c1; exit ${PIPESTATUS[0]}')
    assert (told.returncode, told.stderr) == (1, "")


def test_another_fault_is_no_matter_of_the_answer(tmp_path: Path) -> None:
    (tmp_path / "kubeconfig").write_text(KUBECONFIG.format(current="gone", url=""))
    told = run("approve plan --yes --kubeconfig kubeconfig", tmp_path, '"$@"')
    assert told.returncode == 1
    assert "does not answer" in told.stderr
