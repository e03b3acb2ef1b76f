"""Scenes of hardware and of our own processes: what breaks, ends, is killed, or answers with errors."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from e2e.plane.ports import LOOPBACK
from tests.integration.metrics.furniture import faults_file
from tests.integration.metrics.judgement import Expected
from tests.integration.metrics.places import LEASE, TEAM
from tests.integration.metrics.stage import Stage


async def sick(stage: Stage, folder: Path) -> None:
    """A GPU with a model on it counts memory errors, and a partition of it is hidden; then all is well again."""
    expected = [
        Expected("AimGpuPartitionUnhealthy", {"node": "sick", "namespace": TEAM}),
        Expected("AimNodePartitionsUnhealthy", {"node": "sick"}),
    ]
    begins = {"call": "Usage", "nth": 8, "node": "sick", "seconds": 300}  # agents measure at each scrape
    faults = [{"fault": fault, **begins} for fault in ("MemoryErrors", "PartitionMissing")]
    while_it_starts = [Expected(alert, {"node": "sick"}) for alert in ("AimNodeAgentLost", "AimNodeAgentNotScraped")]
    async with stage.scene("a GPU has memory errors", *expected, allowed=while_it_starts):
        await _start_with(stage, folder, faults)
        await stage.fire(*expected)
        await _start_with(stage, folder, [])


async def _start_with(stage: Stage, folder: Path, faults: list[dict[str, Any]]) -> None:
    await stage.groups["sick"].kill()
    faults_file(folder, "sick").write_text(json.dumps({"faults": faults}), encoding="utf-8")
    await stage.groups["sick"].start()
    stage.read_again()


async def lost(stage: Stage) -> None:
    """A node's agent is killed; when it is back, Prometheus forgets to read it."""
    alert, unread = (Expected(name, {"node": "lost"}) for name in ("AimNodeAgentLost", "AimNodeAgentNotScraped"))
    async with stage.scene("an agent is killed", alert, allowed=[unread]):
        await stage.groups["lost"].kill()
        await stage.fire(alert)
        await stage.groups["lost"].start()
        stage.read_again()
    async with stage.scene("nobody reads an agent", unread):
        stage.unread.add("lost")
        stage.read_again()
        await stage.fire(unread)
        stage.unread.discard("lost")
        stage.read_again()


async def certificate(stage: Stage) -> None:
    """The gateway's certificate is not renewed in time."""
    expected = [Expected("AimCertificateExpiresSoon"), Expected("AimCertificateExpires")]
    async with stage.scene("a certificate ends", *expected):
        stage.certificate.renew(timedelta(minutes=10))
        await stage.fire(*expected)
        stage.certificate.renew(timedelta(days=1000))


async def unfigured(stage: Stage) -> None:
    """The exporter is killed, and started again when it was missed."""
    alert = Expected("AimAuxiliaryProcessMissing", {"process": "exporter"})
    async with stage.scene("the exporter is gone", alert):
        await stage.exporter.kill()
        await stage.fire(alert)
        await stage.exporter.start()
        stage.read_again()


async def webhook(stage: Stage) -> None:
    """Reviews that nobody can answer come to the operator's webhook."""
    alert = Expected("AimWebhookErrors", {"webhook": "/mutate-pod"})
    url = f"https://{LOOPBACK}:{stage.plane.webhook_port}/mutate-pod"
    async with stage.scene("reviews fail", alert):

        async def spoil() -> None:
            while True:
                async with stage.session.post(url, data=b"no review", ssl=False) as answer:
                    await answer.read()
                await asyncio.sleep(0.2)

        await _while(stage.fire(alert), spoil)


async def leaderless(stage: Stage) -> None:
    """All replicas of the operator are killed; then somebody else holds their Lease."""
    gone, headless = Expected("AimProcessMissing", {"process": "operator"}), Expected("AimOperatorWithoutLeader")
    async with stage.scene("nobody leads", gone, headless):
        for worker in stage.operators.workers:
            await worker.kill()
        await stage.fire(gone)

        async def hold() -> None:
            while True:
                await stage.patch(LEASE, {"spec": {"holderIdentity": "somebody", "leaseDurationSeconds": 3600}})
                await asyncio.sleep(0.5)

        async def come_back() -> None:
            for worker in stage.operators.workers:
                await stage.operators.start(worker)
            stage.read_again()
            await stage.fire(headless)

        await _while(come_back(), hold)
        await stage.patch(LEASE, {"spec": {"holderIdentity": ""}})


async def _while(main: Awaitable[None], besides: Callable[[], Any]) -> None:
    """Do one thing until the other is done."""
    async with asyncio.TaskGroup() as tasks:
        beside = tasks.create_task(besides())
        await main
        beside.cancel()
