from datetime import UTC, datetime

from controller.entrypoints.certificate_expiry import observe_certificates
from controller.telemetry.metrics import Metrics


async def test_each_certificate_is_told_once_there_is_one() -> None:
    metrics = Metrics("gateway")
    endings = {"gateway": datetime(2027, 1, 1, tzinfo=UTC), "peers": None}
    observe_certificates(metrics, {name: lambda name=name: endings[name] for name in endings})  # type: ignore[misc]
    name = "aim_certificate_expiration_timestamp_seconds"
    lines = [line for line in (await metrics.exposition()).decode().splitlines() if line.startswith(name)]
    assert lines == [name + '{certificate="gateway"} 1798761600.0']
    metrics.close()
