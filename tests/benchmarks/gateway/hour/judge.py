"""What the hour was worth: goodput within the objectives, and how evenly the models had it. Pure."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tests.benchmarks.gateway.hour.play import Outcome
from tests.benchmarks.gateway.hour.trace import BURSTS, CLASSES


@dataclass(frozen=True, slots=True)
class Verdict:
    """`goodput`: requests a second answered within their objective, of `offered` a second; `attainment` the share by
    class, `worst_model` that of the model that had least of what it asked for. `fairness` is Jain's index over the models'
    shares: 1 when all had the same share, 1 / models when one had all. `neighbours`: while a tenant floods its model, the
    share that the other tenants of that model got; 1 when nobody flooded.
    """

    offered: float
    goodput: float
    attainment: Mapping[str, float]
    worst_model: float
    fairness: float
    neighbours: float


def judge(outcomes: Sequence[Outcome], seconds: float) -> Verdict:
    """All outcomes of an hour, or of `seconds` of it."""
    asked, good = Counter[str](), Counter[str]()
    classes: dict[str, str] = {}
    for outcome in outcomes:
        model = outcome.arrival.traffic.model
        classes[model] = outcome.arrival.traffic.qos_class
        asked[model] += 1
        good[model] += outcome.in_time
    shares = {model: good[model] / asked[model] for model in asked}
    by_class = {
        name: sum(good[model] for model in asked if classes[model] == name)
        / max(1, sum(asked[model] for model in asked if classes[model] == name))
        for name in CLASSES
    }
    return Verdict(
        offered=asked.total() / seconds,
        goodput=good.total() / seconds,
        attainment=by_class,
        worst_model=min(shares.values()),
        fairness=jain(list(shares.values())),
        neighbours=_neighbours(outcomes),
    )


def _neighbours(outcomes: Sequence[Outcome]) -> float:
    floods = [burst for burst in BURSTS if burst.tenant is not None]
    beside = [
        outcome.in_time
        for outcome in outcomes
        for flood in floods
        if outcome.arrival.traffic.model == flood.model
        and outcome.arrival.tenant != flood.tenant
        and flood.start <= outcome.arrival.at < flood.start + flood.seconds
    ]
    return sum(beside) / len(beside) if beside else 1.0


def jain(values: Sequence[float]) -> float:
    """Jain's index of fairness. Nothing for anybody is as even as it gets."""
    squares = len(values) * sum(value * value for value in values)
    return sum(values) ** 2 / squares if squares else 1.0
