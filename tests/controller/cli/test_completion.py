"""The completions of shells, in those shells: what a person gets who presses Tab. Shells that are not there are skipped."""

import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.controller.cli.terminal import Terminal

BIN = Path(sys.executable).parent
ENVIRONMENT = {"PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}", "KUBECONFIG": "/nowhere", "TERM": "dumb"}

BASH = r"""
source <(aim-gpu completion bash)
COMP_LINE="$1" COMP_POINT=${#1}
compopt() { echo "compopt $*"; }
_aim_gpu
printf '%s\n' "${COMPREPLY[@]}"
"""
FISH = "aim-gpu completion fish | source; complete -C $argv[1]"


def ran(shell: str, script: str, *arguments: str) -> str:
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    call: list[str] = [shell, "-c", script, *([shell] if shell != "fish" else []), *arguments]
    told = subprocess.run(call, capture_output=True, text=True, env=ENVIRONMENT, timeout=100, check=False)
    assert told.stderr == "", told.stderr
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", told.stdout)


@pytest.mark.parametrize(
    ("line", "want"),
    [
        ("aim-gpu expl", ["explain"]),
        ("aim-gpu completion ", ["bash", "zsh", "fish"]),
        ("aim-gpu plan --output=y", ["yaml"]),
        ("aim-gpu explain isvc", ["compopt -o nospace", "isvc/"]),
        ("aim-gpu plan -f ", ["compopt -o default", ""]),
        ("aim-gpu size --config 'my fi", ["compopt -o default", ""]),
        ("aim-gpu drain ", [""]),
    ],
)
def test_bash(line: str, want: list[str]) -> None:
    assert ran("bash", BASH, line).splitlines() == want


@pytest.mark.parametrize(
    ("line", "want"),
    [
        ("aim-gpu expl", ["explain"]),
        ("aim-gpu completion ", ["bash", "fish", "zsh"]),
        ("aim-gpu drain --dry", ["--dry-run\tOnly show what would become of its pods"]),
        ("aim-gpu plan --output=y", ["--output=yaml"]),
    ],
)
def test_fish(line: str, want: list[str]) -> None:
    assert sorted(ran("fish", FISH, line).splitlines()) == want


def test_files_in_fish(tmp_path: Path) -> None:
    (tmp_path / "models.yaml").touch()
    assert f"{tmp_path}/models.yaml" in ran("fish", FISH, f"aim-gpu plan -f {tmp_path}/mod")


@pytest.mark.parametrize(
    ("line", "want"),
    [("aim-gpu ro", "rollback"), ("aim-gpu completion ", "fish"), ("aim-gpu drain --", "Evict also pods that no")],
)
def test_zsh(line: str, want: str, tmp_path: Path) -> None:
    if shutil.which("zsh") is None:
        pytest.skip("zsh is not installed")
    terminal = Terminal("zsh", "-f", "-i", environment={**ENVIRONMENT, "HISTFILE": ""})
    terminal.type(f"autoload -Uz compinit; compinit -u -d {tmp_path}/dump; source <(aim-gpu completion zsh)\n")
    terminal.type("echo re''ady\n")
    terminal.wait_for("ready")
    terminal.shown = ""
    terminal.type(f"{line}\t")
    terminal.wait_for(want)
    terminal.end(signal.SIGKILL)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_reads_its_script_without_a_complaint(shell: str) -> None:
    script = subprocess.run([BIN / "aim-gpu", "completion", shell], capture_output=True, text=True, check=True).stdout
    assert ran(shell, f"{script}\necho read").strip() == "read"


@pytest.mark.parametrize(
    ("words", "want"),
    [
        (["expl"], ["explain", ":4"]),
        (["drain", "--dry"], ["--dry-run\tOnly show what would become of its pods", ":4"]),
        (["plan", "-f", ""], [":0"]),
        (["explain", "isvc"], ["isvc/", ":6"]),
    ],
)
def test_kubectl_completes_its_plugin(words: list[str], want: list[str]) -> None:
    call = [str(BIN / "kubectl"), "__complete", "aim", *words]
    told = subprocess.run(call, capture_output=True, text=True, env=ENVIRONMENT, timeout=60, check=True)
    assert told.stdout.splitlines() == want


def test_kubectl_calls_it_by_its_name() -> None:
    call = [str(BIN / "kubectl"), "aim", "drain", "--help"]
    told = subprocess.run(call, capture_output=True, text=True, env=ENVIRONMENT, timeout=60, check=True)
    assert "Usage: kubectl aim drain [OPTIONS] {node}" in " ".join(told.stdout.replace("NODE", "{node}").split())
    wrong = subprocess.run(
        [BIN / "kubectl", "aim", "size"], capture_output=True, text=True, env=ENVIRONMENT, check=False
    )
    assert wrong.returncode == 2
    assert "Try 'kubectl aim size --help' for help." in wrong.stderr
