"""The script of `helm test` as its ServiceAccount, before a running operator: all is well, and what is broken is told."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from e2e.chart import CHART, Helm
from e2e.plane import Plane
from e2e.plane.ports import LOOPBACK
from e2e.plane.tokens import service_account_token
from tests.integration.operator.running import Running, running

pytestmark = [pytest.mark.plane, pytest.mark.timeout(180)]

SCRIPT = CHART / "files/tests/check_installation.py"
LIMIT_SECONDS = 60
_GATES = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/aim-gpu-pod-gate"
_WEBHOOKS = "validation", "conversion", "pods"


@dataclass
class Checked:
    """What the script is run with: rights and token of the chart's own account in the namespace of the operator's pod."""

    cluster: Running
    credentials: Path
    namespace: str

    async def run(self, *, seconds: int = LIMIT_SECONDS) -> subprocess.CompletedProcess[str]:
        """How it ended."""
        arguments = [
            *("--namespace", self.namespace, "--process", f"{self.namespace}/aim-gpu-operator"),
            *("--health-port", str(self.cluster.operator.ports["health"]), "--timeout", str(seconds)),
            *("--credentials", str(self.credentials)),
        ]
        port = self.cluster.plane.server.rpartition(":")[2]
        where = {"KUBERNETES_SERVICE_HOST": LOOPBACK, "KUBERNETES_SERVICE_PORT": port, "PATH": os.defpath}
        return await asyncio.to_thread(
            subprocess.run,
            [sys.executable, str(SCRIPT), *arguments],
            env=where,
            capture_output=True,
            text=True,
            timeout=LIMIT_SECONDS * 2,
            check=False,
        )


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def checked(
    installed_plane: Plane, helm: Helm, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Checked]:
    folder = tmp_path_factory.mktemp("installation-check")
    async with running(installed_plane, folder, {"a": "CPX/NPS4"}, gpus=1) as cluster:
        objects = helm.objects({}, namespace=cluster.namespace)
        access = [obj for obj in objects if obj["kind"] in ("ServiceAccount", "Role", "RoleBinding")]
        installed_plane.admin.apply([obj for obj in access if obj["metadata"]["name"] == "aim-gpu-test"])
        _operator_pod(installed_plane, cluster.namespace)
        credentials = folder / "credentials"
        credentials.mkdir()
        token = service_account_token(installed_plane, cluster.namespace, "aim-gpu-test")
        (credentials / "token").write_text(token)
        (credentials / "ca.crt").write_bytes(installed_plane.ca.read_bytes())
        yield Checked(cluster, credentials, cluster.namespace)


def _operator_pod(plane: Plane, namespace: str) -> None:
    """A pod's record at the address of the operator, which runs as a process here."""
    labels = {"app.kubernetes.io/name": "aim-gpu-operator"}
    spec = {"containers": [{"name": "operator", "image": "ours"}], "schedulingGates": [{"name": "example.org/never"}]}
    path = f"/api/v1/namespaces/{namespace}/pods"
    plane.admin.create(path, {"metadata": {"name": "operator", "labels": labels}, "spec": spec})
    address: dict[str, Any] = {"status": {"podIP": LOOPBACK, "podIPs": [{"ip": LOOPBACK}]}}
    plane.admin.patch(f"{path}/operator/status", address)


@pytest.mark.asyncio(loop_scope="module")
async def test_an_installation_that_works_is_well_by_its_own_accounts_rights(checked: Checked) -> None:
    done = await checked.run()
    assert done.returncode == 0, done.stdout + done.stderr
    told = [line.split(":")[0] for line in done.stdout.splitlines()]
    assert sorted(told) == sorted(f"ok    {name}" for name in ("aim-gpu-operator", *_WEBHOOKS))
    services = await checked.cluster.items(checked.cluster.services_path)
    assert services == [], "nothing was made"
    assert [pod["metadata"]["name"] for pod in await checked.cluster.pods()] == ["operator"]


@pytest.mark.asyncio(loop_scope="module")
async def test_pods_that_pass_ungated_and_a_dead_operator_are_told(checked: Checked) -> None:
    gates = await checked.cluster.get(_GATES)
    await checked.cluster.delete(_GATES)
    try:
        await checked.cluster.operator.kill()
        done = await checked.run(seconds=4)
    finally:
        for field in ("resourceVersion", "uid", "creationTimestamp", "generation", "managedFields"):
            gates["metadata"].pop(field, None)
        await checked.cluster.create(_GATES.rpartition("/")[0], gates)
    assert done.returncode == 1, done.stdout
    wrong = {line.split(":")[0].removeprefix("WRONG "): line for line in done.stderr.splitlines()}
    assert wrong.keys() == {"aim-gpu-operator", *_WEBHOOKS}, done.stderr
    assert "pod " in wrong["aim-gpu-operator"]
    assert "does not answer /healthz" in wrong["aim-gpu-operator"]
    assert "conversion webhook" in wrong["conversion"]
    assert "would run without one" in wrong["pods"]
