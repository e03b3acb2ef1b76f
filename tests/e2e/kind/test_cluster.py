"""kind itself reads the cluster's file, and asks a Docker that writes down what it is asked for the nodes in it."""

import os
import re
import subprocess
from pathlib import Path

import pytest
import yaml

from e2e.kind.programs import KIND
from e2e.kind.steps import CLUSTER, KSERVE
from e2e.plane import ensure_binaries
from e2e.plane.programs import KSERVE as KSERVE_FAMILY
from tests.architecture.source import ROOT

CONFIGURATION = ROOT / "e2e/kind/cluster.yaml"
ENGINE = '{"SecurityOptions":["name=seccomp"],"MemoryLimit":true,"PidsLimit":true,"CPUShares":true,"CgroupVersion":"2"}'
DOCKER = f"""#!/bin/sh
echo "$@" >> "$ASKED"
case "$1" in
  info) echo '{ENGINE}' ;;
  logs) # no node gets ready, and none is waited for before all have been asked for
    for try in $(seq 100); do [ "$(grep -c '^run ' "$ASKED")" -ge 3 ] && exit 0; sleep 0.1; done ;;
esac
"""


def create(configuration: Path, folder: Path) -> tuple[str, list[str]]:
    """What kind says when it is to create a cluster, and what it asks of Docker."""
    docker, asked = folder / "docker", folder / "asked"
    docker.write_text(DOCKER, encoding="utf-8")
    docker.chmod(0o755)
    asked.touch()
    environ = os.environ | {
        "PATH": f"{folder}:{os.environ['PATH']}",
        "ASKED": str(asked),
        "KIND_EXPERIMENTAL_PROVIDER": "",
    }
    kind = str(ensure_binaries(families=(KIND,))["kind"])
    words = [kind, "create", "cluster", "--config", str(configuration)]
    done = subprocess.run(
        [*words, "--kubeconfig", str(folder / "kubeconfig")],
        env=environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.stderr, asked.read_text(encoding="utf-8").splitlines()


def test_kind_takes_the_file_and_starts_its_nodes_from_an_image_by_digest(tmp_path: Path) -> None:
    told, asked = create(CONFIGURATION, tmp_path)
    started = [line for line in asked if line.startswith("run ")]
    roles = sorted(role for line in started for role in re.findall(r"role=(\S+)", line))
    assert roles == ["control-plane", "worker", "worker"], told
    assert all(re.search(r" kindest/node:v1\.\d+\.\d+@sha256:[0-9a-f]{64}$", line) for line in started)
    assert f'Creating cluster "{CLUSTER}"' in told


@pytest.mark.parametrize(
    ("text", "broken", "says"),
    [
        ("nodes:", "nodez:", "nodez"),
        ("role: control-plane", "role: master", "master"),
        ("v1alpha4", "v1alpha5", "v1alpha5"),
    ],
)
def test_kind_would_refuse_a_file_with_a_mistake(text: str, broken: str, says: str, tmp_path: Path) -> None:
    configuration = tmp_path / "cluster.yaml"
    configuration.write_text(CONFIGURATION.read_text(encoding="utf-8").replace(text, broken, 1), encoding="utf-8")
    told, asked = create(configuration, tmp_path)
    assert says in told
    assert [line for line in asked if line.startswith("run ")] == []


def test_agents_have_nodes_that_they_choose() -> None:
    values = yaml.safe_load((ROOT / "charts/aim-gpu-sharing/values.yaml").read_text(encoding="utf-8"))
    wanted = values["agent"]["nodeSelector"].items()
    nodes = yaml.safe_load(CONFIGURATION.read_text(encoding="utf-8"))["nodes"]
    assert sum(wanted <= node.get("labels", {}).items() for node in nodes) == 2


def test_kind_and_kserve_are_the_locked_ones() -> None:
    locked = re.search(r"sigs.k8s.io/kind v(\S+)", (KIND.module / "go.mod").read_text(encoding="utf-8"))
    assert locked is not None
    assert locked[1] == KIND.version
    assert KSERVE_FAMILY.version == KSERVE
