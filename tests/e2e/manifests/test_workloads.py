"""What must hold for every pod that our manifests make, and where one may differ."""

from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from controller.entrypoints.main import command_line
from controller.entrypoints.run_gateway import LEAVE_SECONDS, STOP_SECONDS
from e2e.image.build import IMAGE

WORKLOADS = Path(__file__).parents[3] / "e2e/manifests/workloads"
FILES = sorted(WORKLOADS.glob("*.yaml"))
Object = dict[str, Any]


def documents(file: Path) -> list[Object]:
    return list(yaml.safe_load_all(file.read_text(encoding="utf-8")))


TEMPLATES = [
    pytest.param(obj["spec"]["template"], id=file.stem)
    for file in FILES
    for obj in documents(file)
    if "template" in obj["spec"]
]


def of(name: str) -> Object:
    (template,) = (obj["spec"]["template"] for obj in documents(WORKLOADS / name) if "template" in obj["spec"])
    spec: Object = template["spec"]
    return spec


@pytest.mark.parametrize("template", TEMPLATES)
def test_every_container_is_locked_down_probed_and_sized(template: Object) -> None:
    (container,) = template["spec"]["containers"]
    security = container["securityContext"]
    assert security["readOnlyRootFilesystem"]
    assert {"startupProbe", "livenessProbe", "readinessProbe"} <= container.keys()
    assert container["resources"]["requests"].keys() == {"cpu", "memory"}
    assert container["resources"]["limits"].keys() == {"memory"}, (
        "a limit of CPU would throttle webhooks and heartbeats"
    )
    assert {"name": "tmp", "mountPath": "/tmp"} in container["volumeMounts"]
    assert container["image"] == IMAGE


@pytest.mark.parametrize("template", TEMPLATES)
def test_probes_and_services_name_ports_that_the_container_has(template: Object) -> None:
    (container,) = template["spec"]["containers"]
    ports = {port["name"] for port in container["ports"]}
    probed = {container[probe]["httpGet"]["port"] for probe in ("startupProbe", "livenessProbe", "readinessProbe")}
    own = template["metadata"]["labels"]["app.kubernetes.io/name"]
    services = [obj for file in FILES for obj in documents(file) if obj["kind"] == "Service"]
    called = {
        port["targetPort"]
        for obj in services
        if own in obj["spec"]["selector"].values()
        for port in obj["spec"]["ports"]
    }
    assert called
    assert probed | called <= ports


@pytest.mark.parametrize("template", TEMPLATES)
def test_the_command_line_takes_every_option(template: Object) -> None:
    verb, *options = template["spec"]["containers"][0]["args"]
    command = typer.main.get_command(command_line(verb))
    known = {name for parameter in command.commands[verb].params for name in parameter.opts}  # type: ignore[attr-defined]
    assert {option.partition("=")[0] for option in options} <= known


@pytest.mark.parametrize("name", ["operator.yaml", "agent.yaml", "agent-simulated.yaml", "gateway.yaml"])
def test_only_what_may_change_modes_is_privileged(name: str) -> None:
    spec = of(name)
    security = spec["containers"][0]["securityContext"]
    assert not security.get("privileged")
    assert security["capabilities"] == {"drop": ["ALL"]}
    assert security["allowPrivilegeEscalation"] is False
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert not {"hostPID", "hostNetwork", "hostIPC"} & spec.keys()


def test_what_may_change_modes_sees_every_process_and_the_kernels_modules() -> None:
    spec = of("agent-repartitioning.yaml")
    mounted = {mount["mountPath"] for mount in spec["containers"][0]["volumeMounts"]}
    assert spec["containers"][0]["securityContext"]["privileged"]
    assert spec["hostPID"]
    assert mounted >= {"/sys", "/dev", "/lib/modules", "/opt/rocm", "/var/lib/kubelet/pod-resources"}


def test_every_mount_has_its_volume() -> None:
    for file in FILES:
        for obj in documents(file):
            if "template" in obj["spec"]:
                spec = obj["spec"]["template"]["spec"]
                mounts = {mount["name"] for mount in spec["containers"][0]["volumeMounts"]}
                assert mounts == {volume["name"] for volume in spec["volumes"]}, file.name


def test_the_operator_runs_as_nobody_and_ends_in_order() -> None:
    spec = of("operator.yaml")
    assert spec["securityContext"] | {"runAsNonRoot": True, "runAsUser": 65532} == spec["securityContext"]
    pause = spec["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"]
    # docs/operating.md: 30 s for what is under way, up to 15 s to give the Lease back
    assert spec["terminationGracePeriodSeconds"] >= pause + 45


def test_the_gateway_ends_only_after_what_it_may_wait_for() -> None:
    spec = of("gateway.yaml")
    (container,) = spec["containers"]
    pause = container["lifecycle"]["preStop"]["sleep"]["seconds"]
    (drain,) = (float(word.partition("=")[2]) for word in container["args"] if word.startswith("--drain-seconds="))
    assert spec["terminationGracePeriodSeconds"] >= pause + LEAVE_SECONDS + drain + STOP_SECONDS
    assert spec["securityContext"] | {"runAsNonRoot": True, "runAsUser": 65532} == spec["securityContext"]


@pytest.mark.parametrize("name", ["operator.yaml", "gateway.yaml"])
def test_an_update_or_an_eviction_leaves_a_replica_that_answers(name: str) -> None:
    deployment, *rest = documents(WORKLOADS / name)
    (budget,) = (obj["spec"] for obj in rest if obj["kind"] == "PodDisruptionBudget")
    assert deployment["spec"]["replicas"] >= 2
    assert deployment["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
    assert budget["minAvailable"] == 1
    assert budget["selector"] == deployment["spec"]["selector"]


def test_webhooks_name_the_service_that_the_operator_has() -> None:
    services = {
        obj["metadata"]["name"]: obj["spec"]
        for obj in documents(WORKLOADS / "operator.yaml")
        if obj["kind"] == "Service"
    }
    configured = [
        webhook["clientConfig"]["service"]
        for obj in documents(WORKLOADS.parent / "webhook.yaml")
        for webhook in obj["webhooks"]
    ]
    for service in configured:
        assert service["port"] in [port["port"] for port in services[service["name"]]["ports"]]
