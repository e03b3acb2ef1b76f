"""The exporter's rights are the least: with any rule less, it does not get ready, or nobody can read it."""

import asyncio
from contextlib import suppress
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from e2e.chart.installed import the
from e2e.plane import Plane, service_account_token
from e2e.run.errors import NotListening
from e2e.run.exporter import start_exporter
from e2e.run.install import apply_objects
from e2e.run.processes import Worker

pytestmark = pytest.mark.plane

LIMIT_SECONDS = 5.0
"""For what works at once where it works at all; on a slow machine three times as long as a start takes with every right."""
PATIENT_SECONDS = 60.0
SCRAPER = "scrapes-the-exporter"

Object = dict[str, Any]


def scraper() -> list[Object]:
    """Somebody who may read metrics."""
    account = {"kind": "ServiceAccount", "name": SCRAPER, "namespace": "default"}
    return [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": SCRAPER, "namespace": "default"}},
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": SCRAPER},
            "roleRef": {
                "apiGroup": "rbac.authorization.k8s.io",
                "kind": "ClusterRole",
                "name": "aim-gpu-metrics-reader",
            },
            "subjects": [account],
        },
    ]


async def is_read(exporter: Worker, token: str, limit_seconds: float) -> bool:
    """Whether a scraper that may read metrics gets them."""
    url = f"https://127.0.0.1:{exporter.ports['metrics']}/metrics"
    headers = {"Authorization": f"Bearer {token}"}
    with suppress(TimeoutError):
        async with asyncio.timeout(limit_seconds), aiohttp.ClientSession() as client:
            while True:
                async with client.get(url, headers=headers, ssl=False) as answer:
                    if answer.status == 200:
                        return b"aim_engines_watched" in await answer.read()
                await asyncio.sleep(0.2)
    return False


async def works(exporter: Worker, token: str, limit_seconds: float) -> str:
    """What of it works after a start."""
    try:
        await exporter.start(limit_seconds)
    except NotListening:
        return "nothing"
    else:
        return "all" if await is_read(exporter, token, limit_seconds) else "reading engines"
    finally:
        await exporter.kill()


async def test_no_rule_can_be_left_out(plane: Plane, tmp_path: Path) -> None:
    addresses = tmp_path / "addresses"
    addresses.write_text("{}")
    await asyncio.to_thread(apply_objects, plane, scraper())
    token = await asyncio.to_thread(service_account_token, plane, "default", SCRAPER)
    whole = the("ClusterRole", "aim-gpu-exporter")
    async with start_exporter(plane, tmp_path, addresses, ("--metrics-secure",)) as exporter:
        await exporter.kill()
        began = asyncio.get_running_loop().time()
        assert await works(exporter, token, PATIENT_SECONDS) == "all"
        limit = max(LIMIT_SECONDS, 3 * (asyncio.get_running_loop().time() - began))
        left: dict[str, str] = {}
        try:
            for number, rule in enumerate(whole["rules"]):
                rules = whole["rules"][:number] + whole["rules"][number + 1 :]
                await asyncio.to_thread(apply_objects, plane, [whole | {"rules": rules}])
                await asyncio.sleep(1.0)  # until the API server goes by it
                left[rule["resources"][0]] = await works(exporter, token, limit)
        finally:
            await asyncio.to_thread(apply_objects, plane, [whole])
    assert left == {
        "pods": "nothing",
        "endpointslices": "nothing",
        "tokenreviews": "reading engines",
        "subjectaccessreviews": "reading engines",
    }
