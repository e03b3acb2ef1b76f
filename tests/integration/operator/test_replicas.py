"""Replicas of the operator: who leads, who answers webhooks, who may read metrics."""

import asyncio
import re
import signal
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import pytest

from e2e.plane import Plane, service_account_token
from e2e.plane.errors import AdminError
from e2e.plane.ports import LOOPBACK, Reservation
from e2e.run.install import SYSTEM_NAMESPACE
from e2e.run.processes import Operators, Worker, start_operator, start_operators
from tests.integration.operator.running import Object, opt_in, pod

pytestmark = [pytest.mark.plane, pytest.mark.timeout(180)]

FAST_LEASE = ("--lease-duration", "3", "--renew-deadline", "2", "--retry-period", "0.4")
LONG_LEASE_SECONDS = 60
LONG_LEASE = ("--lease-duration", str(LONG_LEASE_SECONDS), "--renew-deadline", "40", "--retry-period", "0.4")
READER = "metrics-reader"
#: What dashboards ask for; all of it is there once something was reconciled. Histograms are named by one of their series.
NAMES = {
    *(f"workqueue_{name}" for name in ("depth", "adds_total", "retries_total")),
    *(f"workqueue_{name}_seconds_bucket" for name in ("queue_duration", "work_duration")),
    *(f"workqueue_{name}_seconds" for name in ("unfinished_work", "longest_running_processor")),
    *(f"controller_runtime_{name}_total" for name in ("reconcile", "reconcile_errors", "terminal_reconcile_errors")),
    "controller_runtime_reconcile_panics_total",
    "controller_runtime_reconcile_time_seconds_bucket",
    "controller_runtime_max_concurrent_reconciles",
    "controller_runtime_active_workers",
    "rest_client_requests_total",
    "rest_client_request_duration_seconds_bucket",
    "leader_election_master_status",
}
#: What the leader tells of the cluster whatever there is in it, and nobody else does: sums would be twice too large.
OF_THE_CLUSTER = {
    *(f"aim_{name}" for name in ("claims", "partition_claims", "repartition_plans")),
    *(f"aim_scheduler_{name}_total" for name in ("operations", "evictions")),
    *(f"aim_scheduler_{name}_seconds_bucket" for name in ("time_to_bind", "operation_duration")),
    "aim_repartition_phase_duration_seconds_bucket",
}
SECRET = f"/api/v1/namespaces/{SYSTEM_NAMESPACE}/secrets/aim-gpu-webhook-certificates"


async def get(url: str, token: str | None = None) -> tuple[int, str]:
    """Status and text; certificates are not verified, as a scraper of self-signed ones does."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    async with aiohttp.ClientSession() as session, session.get(url, ssl=context, headers=headers) as answer:
        return answer.status, await answer.text()


async def metric(worker: Worker, name: str) -> float:
    """The value of the only series of a metric."""
    _, text = await get(f"http://{LOOPBACK}:{worker.ports['metrics']}/metrics")
    found = re.search(rf"^{name}(?:\{{.*\}})? (\S+)$", text, re.MULTILINE)
    assert found, f"{name} is not among the metrics"
    return float(found[1])


async def served_names(worker: Worker) -> set[str]:
    """The names of all series that a worker serves."""
    _, text = await get(f"http://{LOOPBACK}:{worker.ports['metrics']}/metrics")
    return set(re.findall(r"^([a-z_]+)", text, re.MULTILINE))


def create_soon(plane: Plane, path: str, obj: Object) -> Object:
    """Create, once more if need be: a call on a connection that breaks with its replica is not asked again."""
    try:
        return plane.admin.create(path, obj)
    except AdminError as error:
        if "failed calling webhook" not in str(error):
            raise
        return plane.admin.create(path, obj)


async def leader_of(operators: Operators, limit: float) -> Worker:
    async with asyncio.timeout(limit):
        while (leader := await asyncio.to_thread(operators.leader)) is None:  # noqa: ASYNC110 - a lease elsewhere
            await asyncio.sleep(0.05)
    return leader


@asynccontextmanager
async def two(
    plane: Plane, folder: Path, lease: tuple[str, ...] = FAST_LEASE
) -> AsyncIterator[tuple[Operators, Worker, Worker]]:
    """Two replicas: all of them, the leader, the standby."""
    async with start_operators(plane, folder, arguments=lease) as operators:
        leader = await leader_of(operators, 90.0)
        (standby,) = [worker for worker in operators.workers if worker is not leader]
        yield operators, leader, standby


async def test_a_standby_is_ready_and_leads_soon_after_the_leader_was_told_to_end(plane: Plane, tmp_path: Path) -> None:
    async with two(plane, tmp_path, LONG_LEASE) as (operators, leader, standby):
        assert (await get(f"http://{LOOPBACK}:{standby.ports['health']}/readyz"))[0] == 200
        assert await metric(leader, "leader_election_master_status") == 1
        assert await metric(standby, "leader_election_master_status") == 0
        assert await leader.kill(signal.SIGTERM) == 0
        # long before the Lease would have run out: it was given back
        assert await leader_of(operators, LONG_LEASE_SECONDS / 2) is standby


async def test_metrics_have_the_names_that_dashboards_know(plane: Plane, tmp_path: Path, namespace: str) -> None:
    async with two(plane, tmp_path) as (_, leader, standby):
        pods = f"/api/v1/namespaces/{namespace}/pods"
        await asyncio.to_thread(create_soon, plane, pods, pod("to-reconcile", opt_in()))
        missing, until = NAMES, time.monotonic() + 60.0
        while missing and time.monotonic() < until:
            await asyncio.sleep(0.2)
            missing = NAMES - await served_names(leader)
        assert missing == set()
        _, text = await get(f"http://{LOOPBACK}:{leader.ports['metrics']}/metrics")
        host = re.escape(urlsplit(plane.server).netloc)
        # by what reconcilers read, and by the elector, which has a client of its own
        for method, code in (("GET", 200), ("PUT", 200)):
            series = rf'^rest_client_requests_total\{{code="{code}",host="{host}",method="{method}"\}} [1-9]'
            assert re.search(series, text, re.MULTILINE), method
        assert len(re.findall(r"^# TYPE rest_client_requests_total ", text, re.MULTILINE)) == 1
        assert await served_names(standby) >= {name for name in NAMES if name.startswith(("rest_client", "leader"))}
        assert await served_names(leader) >= OF_THE_CLUSTER
        assert not await served_names(standby) & OF_THE_CLUSTER


async def test_every_replica_answers_webhooks_with_the_shared_certificate(
    plane: Plane, tmp_path: Path, namespace: str
) -> None:
    async with two(plane, tmp_path) as (operators, leader, standby):
        secret = await asyncio.to_thread(plane.admin.get, SECRET)
        assert {"tls.crt", "tls.key", "ca.crt"} <= set(secret["data"])
        pods = f"/api/v1/namespaces/{namespace}/pods"
        for survivor, gone in ((standby, leader), (leader, standby)):
            await gone.kill()
            made = await asyncio.to_thread(create_soon, plane, pods, pod(f"on-{survivor.name}", opt_in()))
            assert made["spec"]["schedulingGates"] == [{"name": "aim.amd.com/partition"}]
            await operators.start(gone)


async def test_metrics_are_for_those_whom_rbac_lets_read_them(plane: Plane, tmp_path: Path, namespace: str) -> None:
    accounts = f"/api/v1/namespaces/{namespace}/serviceaccounts"
    await asyncio.to_thread(plane.admin.create, accounts, {"metadata": {"name": READER}})
    binding = {
        "metadata": {"name": f"{READER}-{namespace}"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "aim-gpu-metrics-reader"},
        "subjects": [{"kind": "ServiceAccount", "name": READER, "namespace": namespace}],
    }
    bindings = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings"
    await asyncio.to_thread(plane.admin.create, bindings, binding)
    reader = await asyncio.to_thread(service_account_token, plane, namespace, READER)
    other = await asyncio.to_thread(service_account_token, plane, namespace, "default")
    async with start_operator(plane, tmp_path, arguments=("--metrics-secure",)) as operator:
        url = f"https://{LOOPBACK}:{operator.ports['metrics']}/metrics"
        status, text = await get(url, reader)
        assert status == 200
        assert "controller_runtime_reconcile_total" in text
        assert (await get(url, other))[0] == 403
        assert (await get(url))[0] == 401


async def test_debug_pages_tell_tasks_and_queues(plane: Plane, tmp_path: Path) -> None:
    with Reservation(1) as reserved:
        (port,) = reserved.ports
    async with start_operator(plane, tmp_path, arguments=("--debug-port", str(port))):
        status, tasks = await get(f"http://{LOOPBACK}:{port}/debug/tasks")
        assert status == 200
        assert "gpupartitionclaim worker 0" in tasks
        _, queues = await get(f"http://{LOOPBACK}:{port}/debug/queue")
        assert '"gpupartitionclaim"' in queues
