"""What identifies the two ends changes under way: the token, the server's certificate, the authority behind it."""

import asyncio
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from controller.runtime.certs.authority import Authority, issue_leaf, make_authority
from controller.runtime.client.configuration import ClientConfiguration
from controller.runtime.client.core import NODES
from tests.controller.runtime.faults.world import gaps, world
from tests.fakes.api_server import FakeApiServer, Seen

pytestmark = pytest.mark.looptime


def tokens(seen: list[Seen]) -> list[str]:
    return [one.headers["Authorization"].removeprefix("Bearer ") for one in seen]


async def test_expired_token(tmp_path: Path) -> None:
    api, file = FakeApiServer(), tmp_path / "token"
    api.token = "old"
    file.write_text("old")
    async with world(api, ClientConfiguration(server="http://unknown", token_file=file)) as w:
        before = len(w.asked())
        api.token = "new"
        file.write_text("new")
        w.put("c")
        api.hang_up(NODES)
        await w.until_agreed(limit=10.0)
        used = tokens(w.asked(after=before))
        assert used == ["old"] + ["new"] * (len(used) - 1), "refused once, and read again at once"
        assert len(used) <= 3
        api.token = "newer"
        file.write_text("newer")
        await w.client.merge_patch(NODES, "a", {"spec": {"size": 2}})
        assert tokens(w.asked("PATCH")) == ["new", "newer"]
        await w.until_agreed()


async def test_a_token_that_is_renewed_a_minute_late(tmp_path: Path) -> None:
    api, file = FakeApiServer(), tmp_path / "token"
    api.token = "old"
    file.write_text("old")
    async with world(api, ClientConfiguration(server="http://unknown", token_file=file)) as w:
        before = len(w.asked())
        api.token = "new"
        w.put("c")
        api.hang_up(NODES)
        await asyncio.sleep(60.0)
        assert len(w.asked(after=before)) <= 10, "no busy loop of refusals"
        assert max(gaps(w.asked(after=before))) > 5.0
        file.write_text("new")
        await w.until_agreed(limit=62.0)


def leaf(authority: Authority) -> tuple[bytes, bytes]:
    made = issue_leaf(authority, ["127.0.0.1"], datetime.now(UTC), timedelta(hours=1))
    return made.certificate_pem, made.private_key_pem


def show(context: ssl.SSLContext, certificate: tuple[bytes, bytes], folder: Path) -> None:
    """New connections see `certificate`, as after an API server read its files again."""
    for name, material in zip(("tls.crt", "tls.key"), certificate, strict=True):
        (folder / name).write_bytes(material)
    context.load_cert_chain(folder / "tls.crt", folder / "tls.key")


async def test_certificate_rotated_under_way(tmp_path: Path) -> None:
    old, new = (make_authority(name, datetime.now(UTC), timedelta(hours=2)) for name in ("old", "new"))
    context, trusted = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), tmp_path / "ca.crt"
    show(context, leaf(old), tmp_path)
    trusted.write_bytes(old.certificate_pem)
    api = FakeApiServer(tls=context)
    async with world(api, ClientConfiguration(server="https://unknown", ca=str(trusted), token="secret")) as w:
        before = len(w.asked())
        show(context, leaf(old), tmp_path)
        w.put("c")
        await w.until_agreed()
        assert w.asked(after=before) == [], "a renewed certificate ends no connection"
        await w.client.get(NODES, "a")
        assert w.informer.statistics().reflection.failures == 0

        show(context, leaf(new), tmp_path)
        trusted.write_bytes(new.certificate_pem)
        await api.stop()
        await api.start()
        w.put("d")
        await w.until_agreed(limit=30.0)
        await w.client.get(NODES, "d")
        assert w.informer.statistics().reflection.failures <= 3, "the new authority is trusted without a restart"
