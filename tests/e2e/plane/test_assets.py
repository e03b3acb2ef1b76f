from pathlib import Path

import pytest

from e2e.plane.assets import provided
from e2e.plane.programs import programs

PROGRAMS = {program.name: (family, program) for family, program in programs()}


def binary(folder: Path, name: str, script: str) -> Path:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


@pytest.mark.parametrize(
    ("name", "told", "want_reason"),
    [
        ("kube-apiserver", "Kubernetes v1.35.4", ""),
        ("kube-apiserver", "Kubernetes v1.35.0", ""),
        ("kube-apiserver", "Kubernetes v1.34.9", "is 1.34.9, wanted 1.35"),
        ("kube-apiserver", "Kubernetes v1.3.5", "is 1.3.5, wanted 1.35"),
        ("kube-scheduler", "Kubernetes v1.36.0", "is 1.36.0, wanted 1.35"),
        ("etcd", "etcd Version: 3.6.8\nGit SHA: 1a2b3c4", ""),
        ("etcd", "etcd Version: 3.5.24", "is 3.5.24, wanted 3.6"),
        ("kwok", "kwok version v0.8.1 go1.26 (linux/amd64)", ""),
        ("etcd", "no version here", "does not tell its version"),
    ],
    ids=[
        "the pinned version is used",
        "another patch of the pinned minor is used",
        "an older minor is not used",
        "a prefix is not the minor",
        "a newer minor is not used",
        "etcd of the pinned minor is used",
        "an older etcd is not used",
        "kwok of the pinned minor is used",
        "what tells no version is not used",
    ],
)
def test_a_provided_program_is_chosen_by_its_version(name: str, told: str, want_reason: str, tmp_path: Path) -> None:
    path = binary(tmp_path, name, f"echo '{told}'")

    chosen, reason = provided(*PROGRAMS[name], {"KUBEBUILDER_ASSETS": str(tmp_path)})

    assert chosen == (None if want_reason else path)
    assert reason.endswith(want_reason)
    assert bool(reason) == bool(want_reason)


def test_a_program_that_fails_is_not_used(tmp_path: Path) -> None:
    binary(tmp_path, "etcd", "echo 'etcd Version: 3.6.16'; exit 1")

    assert provided(*PROGRAMS["etcd"], {"KUBEBUILDER_ASSETS": str(tmp_path)})[0] is None


def test_a_program_that_is_missing_there_is_named(tmp_path: Path) -> None:
    chosen, reason = provided(*PROGRAMS["kwok"], {"KUBEBUILDER_ASSETS": str(tmp_path)})

    assert chosen is None
    assert reason.startswith("kwok is not in KUBEBUILDER_ASSETS")


def test_without_the_variable_there_is_nothing_to_say() -> None:
    assert provided(*PROGRAMS["kwok"], {}) == (None, "")
