"""How long alerts stand between two leaders of the operator: as long as one may take to tell what the other told."""

from controller.runtime.election.lease import LeaseTiming
from controller.state.heartbeats import FRESH_SECONDS
from dashboards.rules.expressions import HANDOVER_SECONDS

SCRAPE_SECONDS = 60.0
FILL_SECONDS = 60.0
"""What reading a large cluster takes, and more."""


def test_a_handover_lasts_longer_than_a_killed_leaders_successor_takes_to_be_scraped_with_every_node() -> None:
    lease = LeaseTiming()
    successor = lease.duration + lease.retry_period + FILL_SECONDS + FRESH_SECONDS
    assert successor + 2 * SCRAPE_SECONDS <= HANDOVER_SECONDS
