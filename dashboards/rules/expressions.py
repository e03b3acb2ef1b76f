"""What rules say beyond `dashboards.promql`: they look at every series, whoever is chosen in a dashboard.

>>> from controller.telemetry.instruments import AGENT_UP
>>> from dashboards.promql import lowest
>>> lowest(series(AGENT_UP, node="gpu-a"), ("node",))
'min by (cluster, node) (aim_node_agent_up{node="gpu-a"})'
"""

from collections.abc import Sequence
from typing import Final

from controller.runtime.instrument import Instrument
from dashboards.promql import CLUSTER, Matching, Scope
from dashboards.rules.pace import REAL, Pace

#: From the last scrape of a leader that is killed to the first in which the next one tells everything, at one a minute:
#: two of them, the Lease (17 s), a minute to read the cluster, and 40 s in which silent agents are not judged yet.
HANDOVER_SECONDS: Final = 240.0
#: Two scrapes of a rehearsal, in which they are a second apart.
_LEAST_HANDOVER_SECONDS: Final = 2.0

_EVERYWHERE = Scope(())


def series(instrument: Instrument, **labels: str | Matching) -> str:
    """An instrument's series whose labels match. Raises ValueError for a label that it does not have."""
    return _EVERYWHERE.series(instrument, **labels).removesuffix("{}")


def of_leader(pace: Pace, instrument: Instrument, **labels: str | Matching) -> str:
    """The same of what only the leading operator tells, as it was until the next one has taken over.

    Else every change of the leader would end all alerts, and have those begin to wait again that wait for an hour.
    """
    last = max(pace.seconds(HANDOVER_SECONDS), _LEAST_HANDOVER_SECONDS)
    return f"last_over_time({series(instrument, **labels)}[{REAL.text(last)}])"


def buckets(instrument: Instrument, **labels: str | Matching) -> str:
    """The buckets of a histogram. Raises ValueError for another kind, or a label that it does not have."""
    return _EVERYWHERE.buckets(instrument, **labels).removesuffix("{}")


def on(labels: Sequence[str]) -> str:
    """That two sides belong together where the cluster and these labels are equal."""
    return f"on ({', '.join((CLUSTER, *labels))})"
