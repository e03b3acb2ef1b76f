"""What is done to bring a cluster up and down, as commands: each with a limit, in order."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from e2e.commands import Command

CLUSTER = "aim-gpu"
"""The name that cluster.yaml gives it."""

CERT_MANAGER = "1.19.1"
KSERVE = "0.20.0"
IMAGE = "localhost/aim-gpu-sharing:e2e"
"""Ours, on every node; under no registry's name, so that nothing pulls another."""

_RELEASES = "https://github.com"
_CERT_MANAGER = f"{_RELEASES}/cert-manager/cert-manager/releases/download/v{CERT_MANAGER}/cert-manager.yaml"
_KSERVE = f"{_RELEASES}/kserve/kserve/releases/download/v{KSERVE}"
_READY_SECONDS = 300


@dataclass(frozen=True, slots=True)
class Programs:
    """Where kind and kubectl are; Docker is found by name."""

    kind: Path
    kubectl: Path


def up(programs: Programs, source: Path, build: Path) -> Sequence[Command]:
    """From nothing to a cluster with KServe and our image. `source` is the project, `build` gets the kubeconfig."""
    kubeconfig = build / "kubeconfig"
    kind = str(programs.kind)
    create = ("create", "cluster", "--config", str(source / "e2e/kind/cluster.yaml"))
    return (
        Command("our image", ("docker", "build", "--tag", IMAGE, str(source)), 900),
        Command("the cluster", (kind, *create, "--kubeconfig", str(kubeconfig), "--wait", f"{_READY_SECONDS}s"), 900),
        Command("our image on its nodes", (kind, "load", "docker-image", IMAGE, "--name", CLUSTER), 300),
        *_installed(programs, kubeconfig, "cert-manager", "cert-manager", (_CERT_MANAGER,)),
        *_installed(programs, kubeconfig, "KServe", "kserve", (f"{_KSERVE}/kserve.yaml",)),
        # its runtimes are refused until its webhook answers
        _apply(programs, kubeconfig, "KServe's runtimes", (f"{_KSERVE}/kserve-cluster-resources.yaml",), tries=10),
    )


def down(programs: Programs, build: Path) -> Sequence[Command]:
    """What the cluster logged is kept below `build`; then it goes."""
    kind = str(programs.kind)
    return (
        Command("logs of the cluster", (kind, "export", "logs", str(build / "logs"), "--name", CLUSTER), 300),
        Command("the end of the cluster", (kind, "delete", "cluster", "--name", CLUSTER), 300),
    )


def _installed(
    programs: Programs, kubeconfig: Path, name: str, namespace: str, files: Sequence[str]
) -> tuple[Command, ...]:
    wait = ("wait", "--for=condition=Available", "deployment", "--all", f"--namespace={namespace}")
    words = (*_kubectl(programs, kubeconfig), *wait, f"--timeout={_READY_SECONDS}s")
    return (
        _apply(programs, kubeconfig, name, files, tries=3),
        Command(f"{name} answers", words, _READY_SECONDS + 30),
    )


def _apply(programs: Programs, kubeconfig: Path, name: str, files: Sequence[str], tries: int) -> Command:
    # server-side: its CRDs are larger than the annotation of a client-side apply may be
    arguments = [word for file in files for word in ("--filename", file)]
    return Command(name, (*_kubectl(programs, kubeconfig), "apply", "--server-side", *arguments), 180, tries)


def _kubectl(programs: Programs, kubeconfig: Path) -> tuple[str, str, str]:
    return str(programs.kubectl), "--kubeconfig", str(kubeconfig)
