"""A node whose kubelet, containers and network are real, beside simulated ones."""

import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from e2e.plane import Plane, add_nodes, remove_nodes
from e2e.plane.node import RealNode
from tests.integration.node.workloads import container, create, log, pod, run

pytestmark = [pytest.mark.plane, pytest.mark.needs_kubelet, pytest.mark.xdist_group("real nodes")]

KUBECTL = Path(sys.executable).parent / "kubectl"


def kubectl(plane: Plane, *arguments: str) -> str:
    command = [str(KUBECTL), f"--kubeconfig={plane.kubeconfig}", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout


def fetch(url: str) -> str:
    with urllib.request.urlopen(url, timeout=30) as answer:
        text: str = answer.read().decode()
    return text


def test_the_node_says_what_runs_on_it(node_plane: Plane, real_node: RealNode) -> None:
    status = node_plane.admin.get(f"/api/v1/nodes/{real_node.name}")["status"]

    assert {"type": "InternalIP", "address": real_node.address} in status["addresses"]
    assert status["nodeInfo"]["kubeletVersion"] == "v1.35.4"
    assert status["nodeInfo"]["containerRuntimeVersion"] == "containerd://2.2.9"
    print(f"plane with a real node ready after {node_plane.statistics.ready_seconds:.1f} s")
    for name, size in node_plane.statistics.resident_bytes.items():
        print(f"{name}: {size / (1 << 20):.0f} MiB")


def test_a_container_gets_its_environment_from_the_pod(node_plane: Plane, node_namespace: str) -> None:
    field = {"fieldRef": {"fieldPath": "metadata.annotations['example.com/told']"}}
    obj = pod(
        "reader", container("echo told=$TOLD on $(hostname); sleep 1000", env=[{"name": "TOLD", "valueFrom": field}])
    )
    obj["metadata"]["annotations"] = {"example.com/told": "by annotation"}

    path = run(node_plane, node_namespace, obj)

    node_plane.wait_until(lambda: "on reader" in log(node_plane, path), "the log is there")
    assert log(node_plane, path) == "told=by annotation on reader\n"


def test_commands_run_and_ports_are_forwarded_through_the_api_server(node_plane: Plane, node_namespace: str) -> None:
    serves = container("echo served > /tmp/index.html; httpd -f -p 8080 -h /tmp", name="main")
    probe = {"tcpSocket": {"port": 8080}, "periodSeconds": 1}
    run(node_plane, node_namespace, pod("server", serves | {"readinessProbe": probe}))

    assert kubectl(node_plane, "exec", "-n", node_namespace, "server", "--", "cat", "/tmp/index.html") == "served\n"
    with subprocess.Popen(
        [
            str(KUBECTL),
            f"--kubeconfig={node_plane.kubeconfig}",
            "port-forward",
            "-n",
            node_namespace,
            "server",
            ":8080",
        ],
        stdout=subprocess.PIPE,
        text=True,
    ) as forwarding:
        assert forwarding.stdout is not None
        port = forwarding.stdout.readline().split(" -> ")[0].rpartition(":")[2]
        assert fetch(f"http://127.0.0.1:{port}/index.html") == "served\n"
        forwarding.kill()


def test_host_and_pods_reach_each_other(node_plane: Plane, node_namespace: str) -> None:
    serves = container("echo served > /tmp/index.html; httpd -f -p 8080 -h /tmp")
    probe = {"tcpSocket": {"port": 8080}, "periodSeconds": 1}
    path = run(node_plane, node_namespace, pod("server", serves | {"readinessProbe": probe}))

    address = node_plane.admin.get(path)["status"]["podIP"]

    assert fetch(f"http://{address}:8080/index.html") == "served\n"


def test_a_pod_reaches_a_service_by_address_and_by_name(node_plane: Plane, node_namespace: str) -> None:
    server = pod("server", container("echo served > /tmp/index.html; httpd -f -p 8080 -h /tmp"))
    server["metadata"]["labels"] = {"app": "server"}
    run(node_plane, node_namespace, server)
    ports = [{"port": 80, "targetPort": 8080}]
    service = {"metadata": {"name": "server"}, "spec": {"selector": {"app": "server"}, "ports": ports}}
    made = node_plane.admin.create(f"/api/v1/namespaces/{node_namespace}/services", service)
    # names are CoreDNS' work, which has reached the API server by its cluster address and with its own token
    urls = [f"http://{made['spec']['clusterIP']}/index.html", "http://server/index.html"]
    script = "; ".join(f"until wget -q -O- {url}; do sleep 0.2; done" for url in urls)

    path = create(node_plane, node_namespace, pod("client", container(script), restartPolicy="Never"))

    node_plane.wait_until(lambda: log(node_plane, path).count("served\n") == 2, "the client was served twice")


def test_kwok_plays_its_own_nodes_and_leaves_the_real_one_alone(node_plane: Plane, node_namespace: str) -> None:
    add_nodes(node_plane, ["simulated-0"])
    try:
        simulated = run(node_plane, node_namespace, pod("simulated", container("exit 1"), nodeName="simulated-0"))
        failed = create(node_plane, node_namespace, pod("real", container("exit 3"), restartPolicy="Never"))

        node_plane.wait_until(
            lambda: node_plane.admin.get(failed)["status"]["phase"] == "Failed", "the real pod failed"
        )
        assert node_plane.admin.get(simulated)["status"]["phase"] == "Running"
    finally:
        remove_nodes(node_plane, ["simulated-0"])


def test_containers_live_on_while_kubelet_and_containerd_restart(
    node_plane: Plane, real_node: RealNode, node_namespace: str
) -> None:
    path = run(node_plane, node_namespace, pod("steady", container("sleep 1000")))
    before = node_plane.admin.get(path)["status"]["containerStatuses"][0]

    for component in (real_node.containerd, real_node.kubelet):
        node_plane.restart(component)

    created = run(node_plane, node_namespace, pod("later", container("sleep 1000")))
    after = node_plane.admin.get(path)["status"]["containerStatuses"][0]
    assert (after["containerID"], after["restartCount"]) == (before["containerID"], 0)
    assert node_plane.admin.get(created)["status"]["hostIP"] == real_node.address


def test_a_node_whose_plug_was_pulled_boots_and_runs_pods(
    node_plane: Plane, real_node: RealNode, node_namespace: str
) -> None:
    node_plane.kill(real_node.name)
    node_plane.start_component(real_node.name)

    path = run(node_plane, node_namespace, pod("later", container("sleep 1000")))

    assert node_plane.admin.get(path)["status"]["hostIP"] == real_node.address
