"""What must hold for every pod that the chart makes, and where one may differ."""

from typing import Any

import pytest
import typer

from controller.entrypoints.exporter_options import GATEWAY as GATEWAY_SERVICE
from controller.entrypoints.main import command_line
from controller.entrypoints.run_gateway import LEAVE_SECONDS, STOP_SECONDS
from e2e.chart import installed
from e2e.chart.install_manifest import ADDITIONS, INSTALL

Object = dict[str, Any]
FILES = (INSTALL, *ADDITIONS)


TEMPLATES = [
    pytest.param(obj["spec"]["template"], id=f"{obj['metadata']['name']} of {file}")
    for file in FILES
    for kind in ("Deployment", "DaemonSet")
    for obj in installed.objects(file, kind=kind)
]
OPERATOR = ("Deployment", "aim-gpu-operator", INSTALL)
GATEWAY = ("Deployment", "aim-gpu-gateway", installed.GATEWAY)
EXPORTER = ("Deployment", "aim-gpu-exporter", installed.EXPORTER)
UI = ("Deployment", "aim-gpu-ui", installed.UI)
REPORTING = ("DaemonSet", "aim-gpu-agent", INSTALL)
SIMULATED = ("DaemonSet", "aim-gpu-agent", installed.AGENT_SIMULATE)
REPARTITIONING = ("DaemonSet", "aim-gpu-agent", "agent-repartition.yaml")


def of(workload: tuple[str, str, str]) -> Object:
    spec: Object = installed.the(*workload)["spec"]["template"]["spec"]
    return spec


def services() -> list[Object]:
    return installed.objects(kind="Service")


def test_all_that_is_here_is_looked_at() -> None:
    assert len(TEMPLATES) == 7


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


@pytest.mark.parametrize("template", TEMPLATES)
def test_probes_and_services_name_ports_that_the_container_has(template: Object) -> None:
    (container,) = template["spec"]["containers"]
    ports = {port["name"] for port in container["ports"]}
    probed = {container[probe]["httpGet"]["port"] for probe in ("startupProbe", "livenessProbe", "readinessProbe")}
    own = template["metadata"]["labels"]["app.kubernetes.io/name"]
    called = {
        port["targetPort"]
        for obj in services()
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


@pytest.mark.parametrize(
    "workload", [OPERATOR, REPORTING, SIMULATED, GATEWAY, EXPORTER, UI], ids=lambda workload: " of ".join(workload[1:])
)
def test_only_what_may_change_modes_is_privileged(workload: tuple[str, str, str]) -> None:
    spec = of(workload)
    security = spec["containers"][0]["securityContext"]
    assert not security.get("privileged")
    assert security["capabilities"] == {"drop": ["ALL"]}
    assert security["allowPrivilegeEscalation"] is False
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert not {"hostPID", "hostNetwork", "hostIPC"} & spec.keys()


def test_what_may_change_modes_sees_every_process_and_the_kernels_modules() -> None:
    spec = of(REPARTITIONING)
    mounted = {mount["mountPath"] for mount in spec["containers"][0]["volumeMounts"]}
    assert spec["containers"][0]["securityContext"]["privileged"]
    assert spec["hostPID"]
    assert mounted >= {"/sys", "/dev", "/lib/modules", "/opt/rocm", "/var/lib/kubelet/pod-resources"}


@pytest.mark.parametrize("template", TEMPLATES)
def test_every_mount_has_its_volume(template: Object) -> None:
    spec = template["spec"]
    mounts = {mount["name"] for mount in spec["containers"][0]["volumeMounts"]}
    assert mounts == {volume["name"] for volume in spec["volumes"]}


def test_the_operator_runs_as_nobody_and_ends_in_order() -> None:
    spec = of(OPERATOR)
    assert spec["securityContext"] | {"runAsNonRoot": True, "runAsUser": 65532} == spec["securityContext"]
    pause = spec["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"]
    # docs/operating.md: 30 s for what is under way, up to 15 s to give the Lease back
    assert spec["terminationGracePeriodSeconds"] >= pause + 45


def test_the_gateway_ends_only_after_what_it_may_wait_for() -> None:
    spec = of(GATEWAY)
    (container,) = spec["containers"]
    pause = container["lifecycle"]["preStop"]["sleep"]["seconds"]
    (drain,) = (float(word.partition("=")[2]) for word in container["args"] if word.startswith("--drain-seconds="))
    assert spec["terminationGracePeriodSeconds"] >= pause + LEAVE_SECONDS + drain + STOP_SECONDS
    assert spec["securityContext"] | {"runAsNonRoot": True, "runAsUser": 65532} == spec["securityContext"]


@pytest.mark.parametrize("name", ["aim-gpu-operator", "aim-gpu-gateway"])
def test_an_update_or_an_eviction_leaves_a_replica_that_answers(name: str) -> None:
    deployment = installed.the("Deployment", name)
    budget = installed.the("PodDisruptionBudget", name)["spec"]
    assert deployment["spec"]["replicas"] >= 2
    assert deployment["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
    assert budget["minAvailable"] == 1
    assert budget["selector"] == deployment["spec"]["selector"]


def test_there_is_never_a_second_exporter_that_tells_of_the_same_requests() -> None:
    deployment = installed.the(*EXPORTER)
    assert (deployment["spec"]["replicas"], deployment["spec"]["strategy"]) == (1, {"type": "Recreate"})
    security = deployment["spec"]["template"]["spec"]["securityContext"]
    assert security | {"runAsNonRoot": True, "runAsUser": 65532} == security


def test_the_exporter_looks_for_the_gateway_where_the_chart_has_it() -> None:
    there = {(obj["metadata"]["namespace"], obj["metadata"]["name"]) for obj in services()}
    assert (GATEWAY_SERVICE.namespace, GATEWAY_SERVICE.name) in there
    (told,) = (word for word in of(EXPORTER)["containers"][0]["args"] if word.startswith("--gateway-service="))
    assert told == f"--gateway-service={GATEWAY_SERVICE.namespace}/{GATEWAY_SERVICE.name}"


def test_webhooks_name_the_service_that_the_operator_has() -> None:
    ports = {
        (obj["metadata"]["namespace"], obj["metadata"]["name"]): [port["port"] for port in obj["spec"]["ports"]]
        for obj in services()
    }
    configured = [
        webhook["clientConfig"]["service"]
        for kind in ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration")
        for obj in installed.objects(kind=kind)
        for webhook in obj["webhooks"]
    ]
    assert len(configured) == 4
    for service in configured:
        assert service["port"] in ports[service["namespace"], service["name"]]
