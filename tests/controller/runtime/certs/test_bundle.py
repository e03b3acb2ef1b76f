"""Replicas that share one Secret: who is first makes it, races end in one certificate, failures change nothing."""

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from random import Random
from typing import Any

import pytest
import structlog
from aiohttp import web
from cryptography import x509

from controller.runtime.certs.authority import ServingCertificate
from controller.runtime.certs.bundle import LOOK_SECONDS, CertificateKeeper, SecretName
from controller.runtime.client.client import Client
from controller.runtime.client.core import SECRETS
from tests.controller.runtime.conftest import Eventually
from tests.fakes.api_server import FakeApiServer, status
from tests.fakes.clock import FakeClock

NAME = SecretName("ns", "webhook")
KEY = "ns/webhook"
DAY = timedelta(days=1)


@pytest.fixture
def api(api: FakeApiServer) -> FakeApiServer:
    api.serve(SECRETS)
    return api


@pytest.fixture
def time() -> FakeClock:
    return FakeClock()


def keeper(client: Client, time: FakeClock, **more: Any) -> CertificateKeeper:
    return CertificateKeeper(client, NAME, ["aim.svc"], clock=time, rng=Random(1), **more)


async def forbidden(_: web.Request) -> web.StreamResponse:
    return status(403, "Forbidden", "secrets is forbidden")


@asynccontextmanager
async def running(*keepers: CertificateKeeper) -> AsyncIterator[None]:
    async with asyncio.TaskGroup() as tasks:
        started = [tasks.create_task(one.run()) for one in keepers]
        for one in keepers:
            await one.wait_started(30)
        yield
        for task in started:
            task.cancel()


class Look:
    """Jumps to a later time and waits until every keeper has looked, and sleeps again."""

    def __init__(self, time: FakeClock, api: FakeApiServer, eventually: Eventually) -> None:
        self._time, self._api, self._eventually = time, api, eventually

    async def after(self, *, seconds: float = LOOK_SECONDS * 1.2, keepers: int = 1) -> None:
        await self._eventually(lambda: self._time.sleepers == keepers)
        before = self._api.count("GET")
        self._time.tick(seconds)
        await self._eventually(lambda: self._api.count("GET") >= before + keepers and self._time.sleepers == keepers)


@pytest.fixture
def look(time: FakeClock, api: FakeApiServer, eventually: Eventually) -> Look:
    return Look(time, api, eventually)


def stored(api: FakeApiServer) -> dict[str, Any]:
    return api.objects(SECRETS)[KEY]


async def test_the_first_replica_makes_the_secret_and_the_second_reads_it(
    api: FakeApiServer, client: Client, time: FakeClock
) -> None:
    one, two = keeper(client, time), keeper(client, time)
    async with running(one), running(two):
        assert one.certificate == two.certificate
    assert stored(api)["type"] == "kubernetes.io/tls"
    assert set(stored(api)["data"]) == {"tls.crt", "tls.key", "ca.crt", "ca.key"}
    assert base64.b64decode(one.ca_bundle) == base64.b64decode(stored(api)["data"]["ca.crt"])


async def test_replicas_that_start_together_end_with_one_certificate(
    api: FakeApiServer, client: Client, time: FakeClock
) -> None:
    keepers = [keeper(client, time) for _ in range(5)]
    async with running(*keepers):
        assert len({one.ca_bundle for one in keepers}) == 1
        assert len({one.certificate.certificate_pem for one in keepers if one.certificate}) == 1
    assert api.count("POST") > 1


async def test_replicas_that_renew_together_end_with_one_certificate(
    client: Client, time: FakeClock, look: Look
) -> None:
    keepers = [keeper(client, time) for _ in range(3)]
    async with running(*keepers):
        before = keepers[0].certificate
        await look.after(seconds=21 * DAY.total_seconds(), keepers=3)
        after = {one.certificate.certificate_pem for one in keepers if one.certificate}
        assert before is not None
        assert len(after - {before.certificate_pem}) == len(after) == 1


async def test_callbacks_get_every_certificate_and_the_present_one_at_once(
    client: Client, time: FakeClock, look: Look
) -> None:
    told: list[ServingCertificate] = []
    one = keeper(client, time)
    one.on_change(lambda _: 1 / 0)  # what one raises keeps nothing from the next
    one.on_change(told.append)
    async with running(one):
        await look.after(seconds=21 * DAY.total_seconds())
        assert len(told) == 2
        one.on_change(told.append)
        assert told[1] == told[2] == one.certificate


async def test_peers_get_what_both_ends_may_show(client: Client, time: FakeClock, look: Look) -> None:
    one = keeper(client, time, purpose="peer")
    async with running(one):
        await look.after()
        assert one.certificate is not None
        leaf = x509.load_pem_x509_certificate(one.certificate.certificate_pem)
        assert len(list(leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value)) == 2


async def test_the_authority_is_rotated_and_the_bundle_says_so_first(
    client: Client, time: FakeClock, look: Look
) -> None:
    told: list[ServingCertificate] = []
    one = keeper(client, time)
    one.on_change(told.append)
    async with running(one):
        for _ in range(12):
            await look.after(seconds=20.5 * DAY.total_seconds())
        for _ in range(2):
            await look.after(seconds=2 * 3600 + 1)
    *renewed, both, switched, dropped = told
    assert [certificate.authority_pem.count(b"BEGIN") for certificate in told] == [1] * len(renewed) + [2, 2, 1]
    assert renewed[-1].authority_pem in both.authority_pem
    assert set(split(switched)) == set(split(both))
    assert split(dropped) == split(switched)[:1]
    assert dropped.certificate_pem == switched.certificate_pem != both.certificate_pem


async def test_a_new_authority_signs_only_once_clients_have_been_told_of_it_for_a_while(
    client: Client, time: FakeClock, look: Look
) -> None:
    told, answers = list[ServingCertificate](), list[bool]()

    async def published(authority_pem: bytes) -> bool:
        assert authority_pem in told[-1].authority_pem
        return bool(answers)

    one = keeper(client, time, published=published)
    one.on_change(told.append)
    async with running(one):
        for _ in range(12):
            await look.after(seconds=20.5 * DAY.total_seconds())
        for _ in range(3):
            await look.after(seconds=2 * 3600 + 1)
        assert told[-1].authority_pem.count(b"BEGIN") == 2, "added, and still not told to anybody"
        waiting = told[-1]
        answers.append(True)
        await look.after()
        assert told[-1] == waiting, "told a moment ago"
        await look.after(seconds=2 * 3600 + 1)
        assert told[-1].certificate_pem != waiting.certificate_pem
        assert split(told[-1])[0] == split(waiting)[1]


async def test_a_look_that_is_asked_for_finds_what_another_has_changed(client: Client, time: FakeClock) -> None:
    one = keeper(client, time)
    async with running(one):
        before = one.certificate
        await client.merge_patch(SECRETS, NAME.name, {"data": {"tls.crt": ""}}, NAME.namespace)
        await one.look_now()
        assert before is not None
        assert one.certificate is not None
        assert one.certificate.certificate_pem != before.certificate_pem


def split(certificate: ServingCertificate) -> list[bytes]:
    """The single authorities that are to be trusted."""
    return [part for part in certificate.authority_pem.split(b"-----BEGIN CERTIFICATE-----") if part]


async def test_what_others_keep_in_the_secret_stays(api: FakeApiServer, client: Client, time: FakeClock) -> None:
    labels = {"app": "aim"}
    api.put(
        SECRETS,
        {
            "metadata": {"namespace": "ns", "name": "webhook", "labels": labels},
            "type": "Opaque",
            "data": {"note": "eA=="},
        },
    )
    async with running(keeper(client, time)):
        assert (stored(api)["metadata"]["labels"], stored(api)["type"]) == (labels, "Opaque")
        assert set(stored(api)["data"]) == {"note", "tls.crt", "tls.key", "ca.crt", "ca.key"}


async def test_a_deleted_secret_is_put_back_as_it_was(
    api: FakeApiServer, client: Client, time: FakeClock, look: Look
) -> None:
    one = keeper(client, time)
    async with running(one):
        before, bundle = stored(api)["data"], one.ca_bundle
        api.remove(SECRETS, KEY)
        await look.after()
        assert (stored(api)["data"], one.ca_bundle) == (before, bundle)


@pytest.mark.parametrize("damage", ["ca.crt", "ca.key"])
async def test_a_damaged_secret_is_named_and_the_certificate_stays_in_use(
    api: FakeApiServer, client: Client, time: FakeClock, look: Look, damage: str
) -> None:
    with structlog.testing.capture_logs() as logs:
        one = keeper(client, time)
        async with running(one):
            held = one.certificate
            api.put(SECRETS, {**stored(api), "data": {**stored(api)["data"], damage: "Z2FyYmFnZQ=="}})
            await look.after()
            await look.after()
    assert [damage in entry["problem"] for entry in logs if entry["log_level"] == "warning"] == [True]
    assert (one.certificate, one.verdict()) == (held, True)


async def test_an_api_server_that_refuses_is_asked_again_and_later_each_time(
    api: FakeApiServer, client: Client, time: FakeClock, eventually: Eventually
) -> None:
    api.play(*[forbidden] * 3, on="GET")
    one = keeper(client, time)
    waits = []
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(one.run())
        for _ in range(3):
            await eventually(lambda: time.sleepers)
            assert "secrets is forbidden" in str(one.verdict())
            began = time.monotonic()
            while time.sleepers:
                time.tick(0.1)
            waits.append(time.monotonic() - began)
        await one.wait_started(30)
        task.cancel()
    assert one.verdict() is True
    assert 0.8 <= waits[0] < waits[1] < waits[2]


async def test_before_the_first_certificate_waiting_says_what_is_wrong(
    api: FakeApiServer, client: Client, time: FakeClock
) -> None:
    api.play(forbidden, on="GET")
    one = keeper(client, time)
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(one.run())
        with pytest.raises(TimeoutError, match="Secret ns/webhook: 403 Forbidden"):
            await one.wait_started(0.1)
        task.cancel()


async def test_no_key_reaches_the_logs(client: Client, time: FakeClock, look: Look) -> None:
    with structlog.testing.capture_logs() as logs:
        async with running(keeper(client, time)):
            await look.after(seconds=21 * DAY.total_seconds())
    assert len(logs) >= 3
    assert "PRIVATE" not in str(logs)


def test_names_are_needed(client: Client, time: FakeClock) -> None:
    with pytest.raises(ValueError, match="names: empty"):
        CertificateKeeper(client, NAME, [], clock=time)
