"""Which certificate the webhooks show, and what the API server is told of it, by mode."""

from datetime import timedelta
from pathlib import Path

import pytest

from controller.entrypoints.operator_options import CertificateMode, OperatorOptions
from controller.entrypoints.operator_servers import certificate_source
from controller.runtime.certs.bundle import CertificateKeeper
from controller.runtime.certs.files import CertificateFiles
from controller.runtime.certs.rotation import RotationPolicy
from controller.runtime.client.client import Client
from controller.runtime.client.configuration import ClientConfiguration
from controller.telemetry.metrics import Metrics
from tests.fakes.clock import FakeClock


@pytest.mark.parametrize(
    ("mode", "want", "named"),
    [
        (CertificateMode.SELF, CertificateKeeper, "Secret aim-gpu-system/"),
        (CertificateMode.CERT_MANAGER, CertificateFiles, "/mounted"),
        (CertificateMode.FILES, CertificateFiles, "/mounted"),
        (CertificateMode.OLM, CertificateFiles, "/mounted"),
    ],
)
async def test_each_mode_has_its_source(mode: CertificateMode, want: type[object], named: str) -> None:
    options = OperatorOptions(certificates=mode, certificate_dir=Path("/mounted"))
    client = Client(ClientConfiguration(server="http://127.0.0.1:1"))
    source = certificate_source(options, client, FakeClock(), Metrics("operator"))
    assert isinstance(source, want)
    assert named in str(source)


@pytest.mark.parametrize(
    ("leaf", "settle"), [(timedelta(days=30), timedelta(hours=1)), (timedelta(seconds=12), timedelta(seconds=1))]
)
def test_a_shorter_certificate_settles_sooner(leaf: timedelta, settle: timedelta) -> None:
    assert RotationPolicy.lasting(leaf, 4 * leaf).settle == settle


@pytest.mark.parametrize("seconds", [1, 7, 8, 11, 3599])
def test_an_authority_of_four_leaves_is_enough_whatever_the_rounding(seconds: int) -> None:
    assert RotationPolicy.lasting(timedelta(seconds=seconds), timedelta(seconds=4 * seconds)).leaf_lifetime.seconds
