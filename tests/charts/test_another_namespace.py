"""Installed into a namespace of another name, by the rights that the chart gives there: pods get their partitions."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from e2e.chart import Helm
from e2e.plane import Plane, add_nodes, service_account_token
from e2e.plane.kubeconfig import write_kubeconfig
from e2e.plane.ports import LOOPBACK
from e2e.run.install import GPU_SERVER
from e2e.run.processes import Worker

ELSEWHERE = "gpu-platform"
NODE = "node-0"
LIMIT_SECONDS = 60
IN_PODS = ("Deployment", "DaemonSet", "Pod", "Job")
"""They run as processes here."""

POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {
        "name": "engine",
        "namespace": "default",
        "annotations": {"aim.amd.com/gpu-sharing": "true", "aim.amd.com/model-id": "openai/gpt-oss-20b"},
    },
    "spec": {"containers": [{"name": "engine", "image": "ours"}]},
}


@pytest.mark.plane
@pytest.mark.timeout(180)
async def test_operator_and_agent_work_by_the_charts_rights(helm: Helm, tmp_path: Path) -> None:
    with Plane() as plane:
        install(plane, helm)
        add_nodes(plane, [NODE], GPU_SERVER)
        async with (
            process(plane, operator(plane, tmp_path), tmp_path, "/readyz"),
            process(plane, agent(plane, tmp_path), tmp_path, "/healthz"),
        ):
            await asyncio.to_thread(plane.wait_until, lambda: runs(plane), "the pod runs", LIMIT_SECONDS)

        leases = plane.admin.get(f"/apis/coordination.k8s.io/v1/namespaces/{ELSEWHERE}/leases")["items"]
        assert {lease["metadata"]["name"] for lease in leases} == {NODE, "aim-gpu-operator"}
        secrets = plane.admin.get(f"/api/v1/namespaces/{ELSEWHERE}/secrets")["items"]
        assert "aim-gpu-webhook-certificates" in {secret["metadata"]["name"] for secret in secrets}
        assert plane.admin.find("/api/v1/namespaces/aim-gpu-system") is None


def install(plane: Plane, helm: Helm) -> None:
    """Everything but what runs in pods, its kinds first."""
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": ELSEWHERE}}
    objects = helm.objects({"agent": {"mode": "simulate"}}, namespace=ELSEWHERE, options=("--no-hooks",))
    plane.admin.apply([namespace, *(one for one in objects if one["kind"] not in IN_PODS)])


def runs(plane: Plane) -> bool:
    """Whether the pod, made as soon as the webhook answers, runs where the operator put it."""
    path = "/api/v1/namespaces/default/pods/engine"
    found = plane.admin.find(path)
    if found is None:
        plane.admin.apply([POD])
        return False
    bound = found["metadata"]["annotations"].get("aim.amd.com/assigned-partition")
    return bool(bound) and found["status"].get("phase") == "Running"


def operator(plane: Plane, folder: Path) -> list[str]:
    """The operator's command, as its account."""
    token = service_account_token(plane, ELSEWHERE, "aim-gpu-operator")
    config = write_kubeconfig(
        folder / "operator.yaml", server=plane.server, authority=plane.ca, token=token, user="aim-gpu-operator"
    )
    webhook = ("--webhook-host", LOOPBACK, "--webhook-port", str(plane.webhook_port))
    return ["operator", "--kubeconfig", str(config), "--system-namespace", ELSEWHERE, *webhook]


def agent(plane: Plane, folder: Path) -> list[str]:
    """The command of the node's agent, by a token that is bound to the node."""
    tokens, state = folder / "tokens", folder / "state"
    tokens.mkdir()
    state.mkdir()
    (tokens / NODE).write_text(service_account_token(plane, ELSEWHERE, "aim-gpu-agent", bound_node=NODE))
    server = ("--server", plane.server, "--ca-file", str(plane.ca), "--tokens-dir", str(tokens))
    gpus = ("--node", f"{NODE}=CPX/NPS4", "--state-dir", str(state), "--time-scale", "0")
    return ["agent", "--backend", "simulated", *server, *gpus, "--system-namespace", ELSEWHERE]


@asynccontextmanager
async def process(plane: Plane, command: Sequence[str], folder: Path, ready: str) -> AsyncIterator[Worker]:
    """One process of ours, ready; ended on exit."""
    worker = Worker(plane, command[0], command, folder / command[0], ready)
    try:
        await worker.start()
        yield worker
    finally:
        await worker.close()
