"""pytest plugin: Prometheus and promtool, for tests marked `needs_prometheus`."""

import pytest

from e2e.prometheus.programs import Programs, ensure_prometheus
from tests.from_packages import had


@pytest.fixture(scope="session")
def prometheus_programs(pytestconfig: pytest.Config) -> Programs:
    """The distribution's programs; downloaded once, which takes some seconds."""
    return had(ensure_prometheus, "needs_prometheus", pytestconfig)
