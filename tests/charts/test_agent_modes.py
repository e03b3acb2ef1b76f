"""The three agents: what each asks of its node, and that one which changes modes looks at the host's ROCm first."""

from typing import Any

import pytest
from typer.testing import CliRunner

from controller.entrypoints.main import command_line
from e2e.chart import Helm


def daemon_set(helm: Helm, agent: dict[str, Any], namespace: str = "aim-gpu-system") -> dict[str, Any]:
    """The pod of the agents' DaemonSet."""
    objects = helm.objects({"agent": agent}, namespace=namespace)
    found: dict[str, Any] = next(one for one in objects if one["kind"] == "DaemonSet")["spec"]["template"]["spec"]
    return found


def test_only_the_one_that_changes_modes_is_privileged_and_sees_the_hosts_processes(helm: Helm) -> None:
    pods = {mode: daemon_set(helm, {"mode": mode}) for mode in ("report", "repartition", "simulate")}

    privileged = {mode for mode, pod in pods.items() if pod["containers"][0]["securityContext"].get("privileged")}

    assert privileged == {"repartition"}
    assert {mode for mode, pod in pods.items() if pod.get("hostPID")} == {"repartition"}


def test_the_hosts_rocm_is_looked_at_first_without_privileges(helm: Helm) -> None:
    pod = daemon_set(helm, {"mode": "repartition", "rocm": {"hostPath": "/opt/rocm-7.0", "minimumVersion": "7.0"}})

    (first,) = pod["initContainers"]
    assert first["args"] == ["rocm", "--path=/opt/rocm", "--at-least=7.0"]
    assert first["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert first["terminationMessagePolicy"] == "FallbackToLogsOnError"
    assert {"path": "/opt/rocm-7.0", "type": "Directory"} in [volume.get("hostPath") for volume in pod["volumes"]]


@pytest.mark.parametrize("agent", [{"mode": "report"}, {"mode": "repartition", "rocm": {"minimumVersion": ""}}])
def test_where_no_version_is_asked_for_nothing_is_looked_at(helm: Helm, agent: dict[str, Any]) -> None:
    assert "initContainers" not in daemon_set(helm, agent)


def test_the_kubelets_folder_is_where_the_host_has_it(helm: Helm) -> None:
    pod = daemon_set(helm, {"mode": "simulate", "kubelet": {"rootDir": "/data/kubelet"}})

    hosts = {volume["name"]: volume["hostPath"]["path"] for volume in pod["volumes"] if "hostPath" in volume}
    assert hosts["plugins"] == "/data/kubelet/plugins"
    assert hosts["pod-resources"] == "/data/kubelet/pod-resources"


@pytest.mark.parametrize("mode", ["report", "repartition", "simulate"])
def test_the_command_line_knows_every_argument(helm: Helm, mode: str) -> None:
    pod = daemon_set(helm, {"mode": mode}, namespace="elsewhere")
    first, *others = pod["containers"][0]["args"]

    done = CliRunner().invoke(
        command_line(first), [first, *(one for one in others if "sysfs-root" not in one), "--help"]
    )

    assert done.exit_code == 0, done.output
    assert CliRunner().invoke(command_line(first), [first, "--backnd=sysfs", "--help"]).exit_code != 0
    assert "--system-namespace=elsewhere" in others
