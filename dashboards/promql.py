"""Queries over the declared metrics: names and labels come from the instruments, so none can be mistyped.

    >>> from controller.telemetry.instruments import CLAIMS
    >>> total(Scope(("cluster",)).series(CLAIMS, phase="Pending"), by=())
    'sum by (cluster) (aim_claims{cluster=~"$cluster", phase="Pending"})'

`cluster` is a label of whoever scrapes several clusters. Where nobody sets it, a matcher that allows the empty text
finds every series, and grouping by it adds nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from controller.runtime.instrument import Instrument, Kind

CLUSTER: Final = "cluster"
RATE_INTERVAL: Final = "$__rate_interval"
RANGE: Final = "$__range"


@dataclass(frozen=True, slots=True)
class Matching:
    """A label's matcher other than equality: `operator` is ``!=``, ``=~`` or ``!~``."""

    operator: str
    value: str


SOME: Final = Matching("!=", "")
"""The label has a value."""


def one_of(*values: str) -> Matching:
    """The label has one of the values, each plain words or a pattern."""
    return Matching("=~", "|".join(values))


def none_of(*values: str) -> Matching:
    """The label has none of the values, each plain words or a pattern."""
    return Matching("!~", "|".join(values))


def edges(instrument: Instrument) -> Matching:
    """The upper bounds that every series of a histogram has, which alone may be summed over services.

    A bound of whole seconds is written as ``1`` or ``1.0``, by who wrote it down.
    """
    texts = [
        f"{bound:g}".replace(".", "[.]") + ("([.]0)?" if bound == int(bound) else "") for bound in instrument.buckets
    ]
    return one_of(*texts, "[+]Inf")


@dataclass(frozen=True, slots=True)
class Scope:
    """What a dashboard's variables choose: each is named for the label that it filters."""

    variables: tuple[str, ...]

    def series(self, instrument: Instrument, **labels: str | Matching) -> str:
        """The instrument's series within the scope whose labels match; a histogram's are not selected as such.

        Raises ValueError for a histogram, and for a label that the instrument does not have.
        """
        if instrument.kind is Kind.HISTOGRAM:
            raise ValueError(f"{instrument.name} is a histogram: select its buckets or its count")
        return self._selected(instrument.exported_name, instrument.labels, labels)

    def buckets(self, instrument: Instrument, **labels: str | Matching) -> str:
        """The buckets of a histogram. Raises ValueError for another kind, or a label that it does not have."""
        return self._part(instrument, "bucket", labels)

    def count(self, instrument: Instrument, **labels: str | Matching) -> str:
        """How many observations a histogram has. Raises ValueError as `buckets` does."""
        return self._part(instrument, "count", labels)

    def recorded(self, name: str, has: Sequence[str], **labels: str | Matching) -> str:
        """The series of a recording rule, which has the labels `has`. Raises ValueError for a label that it lacks."""
        return self._selected(name, has, labels)

    def _part(self, instrument: Instrument, part: str, labels: Mapping[str, str | Matching]) -> str:
        if instrument.kind is not Kind.HISTOGRAM:
            raise ValueError(f"{instrument.name} is a {instrument.kind}: only histograms have a {part}")
        has = (*instrument.labels, "le") if part == "bucket" else instrument.labels
        return self._selected(f"{instrument.exported_name}_{part}", has, labels)

    def _selected(self, name: str, has: Sequence[str], labels: Mapping[str, str | Matching]) -> str:
        if unknown := labels.keys() - set(has):
            raise ValueError(f"{name} has no label {', '.join(sorted(unknown))}: it has {', '.join(has)}")
        chosen = [one for one in self.variables if one == CLUSTER or one in has]
        matchers = [f'{one}=~"${one}"' for one in chosen]
        matchers += [_matcher(label, value) for label, value in labels.items()]
        return f"{name}{{{', '.join(matchers)}}}"


def rate(series: str, over: str = RATE_INTERVAL) -> str:
    """Growth of a counter in a second."""
    return f"rate({series}[{over}])"


def per_minute(series: str) -> str:
    """Growth of a counter in a minute: for what happens seldom. Points overlap, so they are not to be added up."""
    return f"60 * {rate(series)}"


def increase(series: str, over: str = RANGE) -> str:
    """Growth of a counter over a while, all that is shown unless told."""
    return f"increase({series}[{over}])"


def total(series: str, by: Sequence[str]) -> str:
    """The sum, apart by cluster and these labels."""
    return _aggregated("sum", series, by)


def highest(series: str, by: Sequence[str]) -> str:
    """The highest value, apart by cluster and these labels."""
    return _aggregated("max", series, by)


def lowest(series: str, by: Sequence[str]) -> str:
    """The lowest value, apart by cluster and these labels."""
    return _aggregated("min", series, by)


def mean(series: str, by: Sequence[str]) -> str:
    """The mean, apart by cluster and these labels."""
    return _aggregated("avg", series, by)


def amount(series: str, by: Sequence[str]) -> str:
    """How many series there are, apart by cluster and these labels."""
    return _aggregated("count", series, by)


def missed(series: str) -> str:
    """1 for each series of 0 where 1 is wanted, and 0 for 1."""
    return f"1 - {series}"


def top(count: int, series: str) -> str:
    """The `count` highest."""
    return f"topk({count}, {series})"


def bottom(count: int, series: str) -> str:
    """The `count` lowest."""
    return f"bottomk({count}, {series})"


def quantile(share: str, buckets: str, by: Sequence[str]) -> str:
    """A quantile of a histogram, apart by cluster and these labels.

    Services have edges of their own, at their objectives: whoever sums over services compares unlike buckets.
    """
    return f"histogram_quantile({share}, {_aggregated('sum', rate(buckets), ('le', *by))})"


def labelled(series: str, by: str, on: Sequence[str], *added: str) -> str:
    """`series` with the labels `added` of the one series of `by`, of value 1, that has the same cluster and `on`."""
    return f"{series} * on ({', '.join((CLUSTER, *on))}) group_left ({', '.join(added)}) {by}"


def marked(series: str, label: str, value: str) -> str:
    """`series` with one more label, the same of all."""
    return f'label_replace({series}, "{label}", "{value}", "", "")'


def of_instances(series: str, instances: str) -> str:
    """`series` of the scraped processes that `instances` come from.

    Names that every controller in a cluster exports say nothing of whose they are; where they were scraped does.
    """
    return f"({series} and on (cluster, job, instance) {instances})"


def _aggregated(operator: str, series: str, by: Sequence[str]) -> str:
    return f"{operator} by ({', '.join((CLUSTER, *by))}) ({series})"


def _matcher(label: str, value: str | Matching) -> str:
    found = Matching("=", value) if isinstance(value, str) else value
    return f'{label}{found.operator}"{found.value}"'
