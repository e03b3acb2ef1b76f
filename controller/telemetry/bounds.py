"""How many services are told by name: the first so many by key, the rest together as ``other``.

Whatever a process saw first, it keeps the same ones, so that replicas that know the same services name the same.
Whoever comes or goes may thereby move somebody else across the bound: what is told of ``other`` is right between two
such moves.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Final

from controller.telemetry.families import HistogramRow, Labels
from controller.telemetry.histograms import merged

MOST_SERVICES: Final = 500
OTHER: Final = "other"

_OTHERS: Final = (OTHER, OTHER, OTHER)


def service_labels(models: dict[str, str], *, most: int = MOST_SERVICES) -> Callable[[str], Labels]:
    """The labels `namespace`, `service` and `model` of a service's key "namespace/name".

    `models` has the model's id of each service there is, "" where nobody knows it. Keys beyond the first `most` are
    ``other``, and so is a key that is not among them.
    """
    kept = {key: (*split_key(key), models[key]) for key in sorted(models)[:most]}
    return lambda key: kept.get(key, _OTHERS)


def split_key(key: str) -> tuple[str, str]:
    """Namespace and name of a key "namespace/name"; a key without a namespace has none."""
    namespace, _, name = key.rpartition("/")
    return namespace, name


def summed(rows: Iterable[tuple[Labels, float]]) -> Iterator[tuple[Labels, float]]:
    """`rows`, whose labels begin with those of `service_labels`, with one row for each label set of ``other``."""
    together: dict[Labels, float] = {}
    for labels, value in rows:
        if labels[:3] == _OTHERS:
            together[labels] = together.get(labels, 0.0) + value
        else:
            yield labels, value
    yield from together.items()


def merged_histograms(rows: Iterable[tuple[Labels, HistogramRow]]) -> Iterator[tuple[Labels, HistogramRow]]:
    """As `summed`, of histograms."""
    together: dict[Labels, list[HistogramRow]] = {}
    for labels, row in rows:
        if labels[:3] == _OTHERS:
            together.setdefault(labels, []).append(row)
        else:
            yield labels, row
    for labels, found in together.items():
        yield labels, merged(found)
