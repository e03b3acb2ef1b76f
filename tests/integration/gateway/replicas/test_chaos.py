"""A short look at what `make chaos SWEEP=gateway` does a hundred times."""

import asyncio

import pytest

from tests.integration.gateway.replicas.load import Load
from tests.integration.gateway.replicas.site import chaos, site

# Real processes at the pace of the machine: beside other tests they would find no time to renew their leases.
pytestmark = pytest.mark.alone


@pytest.mark.timeout(240)
async def test_replicas_join_are_killed_and_stopped_and_no_engine_has_too_much() -> None:
    verdict = await chaos(12, seed=3)
    assert verdict.excesses == []
    assert verdict.ended["200"] > 100
    # The seats there are were used, or the engines would have judged nothing.
    assert verdict.fullest["llama"] >= 9
    assert verdict.fullest["mixtral"] == 8
    # Once nothing happens any more, everybody is served again.
    assert set(verdict.calm) == {"200"}
    assert verdict.handovers


async def test_too_much_would_be_noticed() -> None:
    async with site(1) as found:
        uid, port, _, seats = found.services[0].engines[0]
        request = (
            b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: 62\r\n\r\n"
            b'{"model":"llama","max_tokens":3,"messages":[{"content":"x"}]} '
        )
        writers = []
        for _ in range(seats + 1):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(request)
            writers.append(writer)
        await asyncio.sleep(1.0)
        for writer in writers:
            writer.close()
        assert uid in [one.of for one in found.verdict(Load([], [])).excesses]
