"""The process over TLS: clients verify it, a renewed certificate is shown without a restart, and metrics show the same."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
import pytest

from controller.runtime.certs.authority import Authority, issue_leaf, make_authority
from e2e.plane import Plane
from e2e.run.processes import start_gateway

pytestmark = pytest.mark.plane

DAY = timedelta(days=1)
LIMIT_SECONDS = 40.0


@dataclass
class Site:
    """A gateway whose certificate is in `folder`; `renew` makes another one."""

    folder: Path
    authority: Authority
    ports: dict[str, int]

    def renew(self) -> None:
        now = datetime.now(UTC)
        leaf = issue_leaf(self.authority, ["127.0.0.1"], now - DAY, 10 * DAY)
        for name, content in (("tls.key", leaf.private_key_pem), ("tls.crt", leaf.certificate_pem)):
            (self.folder / name).write_bytes(content)

    async def serial(self, port: str, path: str) -> tuple[str, int]:
        """The certificate's number as a client that trusts the authority sees it, and the answer's status."""
        trusting = ssl.create_default_context(cadata=self.authority.certificate_pem.decode())
        reader, writer = await asyncio.open_connection("127.0.0.1", self.ports[port], ssl=trusting)
        shown = writer.get_extra_info("peercert")
        writer.write(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode())
        status = int((await reader.readline()).split()[1])
        writer.close()
        return str(shown["serialNumber"]), status


@asynccontextmanager
async def a_site(plane: Plane, folder: Path) -> AsyncIterator[Site]:
    now = datetime.now(UTC)
    site = Site(folder / "tls", make_authority("tests", now - DAY, 30 * DAY), {})
    site.folder.mkdir()
    site.renew()
    arguments = ("--tls-dir", str(site.folder), "--open", "--metrics-secure")
    async with start_gateway(plane, folder, arguments=arguments) as gateway:
        site.ports.update(gateway.ports)
        yield site


@pytest.mark.timeout(120)
async def test_a_renewed_certificate_is_shown_without_a_restart(plane: Plane, tmp_path: Path) -> None:
    async with a_site(plane, tmp_path) as site:
        first, status = await site.serial("gateway", "/v1/models")
        assert status == 200
        assert await site.serial("metrics", "/metrics") == (first, 401)  # its own certificate, and no token
        site.renew()
        async with asyncio.timeout(LIMIT_SECONDS):
            while (await site.serial("gateway", "/v1/models"))[0] == first:  # noqa: ASYNC110 - nobody signals it
                await asyncio.sleep(0.5)
        second, status = await site.serial("gateway", "/v1/models")
        assert (await site.serial("metrics", "/metrics"))[0] == second
        assert status == 200


@pytest.mark.timeout(120)
async def test_plain_http_is_not_spoken_where_tls_is(plane: Plane, tmp_path: Path) -> None:
    async with a_site(plane, tmp_path) as site, aiohttp.ClientSession() as client:
        with pytest.raises(aiohttp.ClientError):
            await client.get(f"http://127.0.0.1:{site.ports['gateway']}/v1/models")
