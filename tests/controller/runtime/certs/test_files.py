"""Certificates in files that somebody else renews: read, read again, and refused when they do not fit."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from controller.runtime.certs.authority import Authority, ServingCertificate, issue_leaf, make_authority
from controller.runtime.certs.files import LOOK_SECONDS, CertificateFiles
from tests.fakes.clock import START, FakeClock, settle

DAY = timedelta(days=1)


@pytest.fixture(scope="module")
def authority() -> Authority:
    return make_authority("mounted", START, 100 * DAY)


def leaf(authority: Authority) -> ServingCertificate:
    return issue_leaf(authority, ["aim.svc"], START, DAY)


def write(folder: Path, certificate: ServingCertificate, *, authority: bool = True) -> None:
    folder.mkdir(exist_ok=True)
    (folder / "tls.crt").write_bytes(certificate.certificate_pem)
    (folder / "tls.key").write_bytes(certificate.private_key_pem)
    if authority:
        (folder / "ca.crt").write_bytes(certificate.authority_pem)


def mount(folder: Path, revision: str, certificate: ServingCertificate) -> None:
    """As the kubelet does: a new folder, and a link that is moved to it."""
    write(folder / revision, certificate)
    link = folder / "..new"
    link.symlink_to(revision)
    link.rename(folder / "..data")
    for name in ("tls.crt", "tls.key", "ca.crt"):
        if not (folder / name).is_symlink():
            (folder / name).symlink_to(f"..data/{name}")


@asynccontextmanager
async def running(files: CertificateFiles) -> AsyncIterator[None]:
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(files.run())
        await settle()
        yield
        task.cancel()


async def test_files_are_read_and_read_again_when_they_changed(tmp_path: Path, authority: Authority) -> None:
    clock, told = FakeClock(), list[ServingCertificate]()
    first, second = leaf(authority), leaf(authority)
    write(tmp_path, first)
    files = CertificateFiles(tmp_path, clock=clock)
    files.on_change(told.append)
    async with running(files):
        await files.wait_started(1)
        await clock.advance(3 * LOOK_SECONDS)
        write(tmp_path, second)
        await clock.advance(LOOK_SECONDS)
    assert told == [first, second]
    assert files.ca_bundle == second.ca_bundle


async def test_a_mounted_secret_is_read_through_its_link(tmp_path: Path, authority: Authority) -> None:
    clock, first, second = FakeClock(), leaf(authority), leaf(authority)
    mount(tmp_path, "..2026_01", first)
    files = CertificateFiles(tmp_path, clock=clock)
    async with running(files):
        assert files.certificate == first
        mount(tmp_path, "..2026_02", second)
        await clock.advance(LOOK_SECONDS)
        assert files.certificate == second


async def test_the_names_of_an_older_mount_are_read_where_the_usual_ones_are_missing(
    tmp_path: Path, authority: Authority
) -> None:
    first, second = leaf(authority), leaf(authority)
    (tmp_path / "apiserver.crt").write_bytes(first.certificate_pem)
    (tmp_path / "apiserver.key").write_bytes(first.private_key_pem)
    clock = FakeClock()
    files = CertificateFiles(tmp_path, clock=clock)
    async with running(files):
        assert files.certificate is not None
        assert files.certificate.certificate_pem == first.certificate_pem
        write(tmp_path, second)
        await clock.advance(LOOK_SECONDS)
        assert files.certificate == second


async def test_without_an_authority_file_the_bundle_is_empty(tmp_path: Path, authority: Authority) -> None:
    write(tmp_path, leaf(authority), authority=False)
    files = CertificateFiles(tmp_path, clock=FakeClock())
    async with running(files):
        assert (files.ca_bundle, files.verdict()) == ("", True)


@pytest.mark.parametrize(
    ("name", "content", "want"),
    [
        pytest.param("tls.crt", b"garbage", "certificate: no readable PEM", id="garbage in the place of the leaf"),
        pytest.param("tls.key", b"garbage", "private key: not readable", id="garbage in the place of the key"),
        pytest.param("tls.key", make_authority("x", START, DAY).private_key_pem, "another certificate", id="another's key"),
        pytest.param("tls.key", None, "No such file", id="no key"),
    ],
)  # fmt: skip
async def test_files_that_do_not_fit_are_refused_and_the_old_certificate_stays(
    tmp_path: Path, authority: Authority, name: str, content: bytes | None, want: str
) -> None:
    clock, reader, good = FakeClock(), InMemoryMetricReader(), leaf(authority)
    write(tmp_path, good)
    files = CertificateFiles(tmp_path, clock=clock, meter=MeterProvider([reader]).get_meter("runtime"))
    async with running(files):
        (tmp_path / name).unlink()
        if content is not None:
            (tmp_path / name).write_bytes(content)
        await clock.advance(2 * LOOK_SECONDS)
        assert (files.certificate, files.verdict()) == (good, True)
    assert counted(reader) == {"certwatcher_read_certificate_total": 3, "certwatcher_read_certificate_errors_total": 2}

    never = CertificateFiles(tmp_path, clock=clock)
    async with running(never):
        assert want in str(never.verdict())
        with pytest.raises(TimeoutError, match=want):
            await never.wait_started(0.01)


def counted(reader: InMemoryMetricReader) -> dict[str, float]:
    data = reader.get_metrics_data()
    assert data is not None
    metrics = data.resource_metrics[0].scope_metrics[0].metrics
    return {metric.name: point.value for metric in metrics for point in metric.data.data_points}  # type: ignore[union-attr]


async def test_the_verdict_tells_of_a_certificate_that_nobody_renews(tmp_path: Path, authority: Authority) -> None:
    clock = FakeClock()
    write(tmp_path, leaf(authority))
    files = CertificateFiles(tmp_path, clock=clock)
    async with running(files):
        clock.set(START + DAY - timedelta(minutes=1))
        assert "nobody renewed it" in str(files.verdict())
        clock.set(START + DAY)
        assert "ended at 2026-01-02" in str(files.verdict())


async def test_a_short_certificate_is_well_until_its_last_sixth(tmp_path: Path, authority: Authority) -> None:
    clock = FakeClock()
    write(tmp_path, issue_leaf(authority, ["aim.svc"], START, timedelta(seconds=60)))
    files = CertificateFiles(tmp_path, clock=clock)
    async with running(files):
        clock.set(START + timedelta(seconds=49))
        assert files.verdict() is True
        clock.set(START + timedelta(seconds=50))
        assert "nobody renewed it" in str(files.verdict())
