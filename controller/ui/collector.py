"""What the map in the cluster tells of itself as metrics: who looks, how old that is, what updates take, questions."""

from collections.abc import Iterable

from controller.telemetry.families import Labels
from controller.telemetry.instruments import UI_AGE, UI_UPDATE_SECONDS, UI_UPDATES, UI_VIEWERS, UI_WHAT_IFS
from controller.telemetry.metrics import Metrics
from controller.ui.feed import Feed
from controller.ui.pulse import Pulse
from controller.ui.server import MapServer

Row = tuple[Labels, float]


def observe_map(metrics: Metrics, feed: Feed, pulse: Pulse, server: MapServer) -> None:
    """Have `metrics` read all of it whenever somebody collects."""
    metrics.observe(UI_VIEWERS, lambda: [((), feed.statistics().clients)])
    metrics.observe(UI_UPDATES, lambda: _updates(feed))
    metrics.observe_histograms(UI_UPDATE_SECONDS, feed.seconds.rows)
    metrics.observe(UI_AGE, lambda: _by_name(pulse.ages().items()))
    metrics.observe(UI_WHAT_IFS, lambda: _by_name(server.questions().items()))


def _updates(feed: Feed) -> list[Row]:
    counted = feed.statistics()
    return [(("sent",), counted.sent), (("dropped",), counted.dropped)]


def _by_name(found: Iterable[tuple[str, float]]) -> list[Row]:
    return [((name,), figure) for name, figure in found]
