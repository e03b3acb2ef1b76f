"""What was measured, as rows and as notes for a reader. Pure."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from e2e.plane.components import APISERVER
from tests.benchmarks.binding.processors import OPERATOR
from tests.benchmarks.report import Row, figure, percentile
from tests.benchmarks.scale.phases import Phase
from tests.benchmarks.scale.requests import writes
from tests.benchmarks.scale.restart import Restart
from tests.benchmarks.scale.settings import QUARTERS, Settings
from tests.benchmarks.thresholds import bounds

_SHOWN: Final = 14
_Figure = tuple[str, str, float]


@dataclass(slots=True)
class Measured:
    """A whole run. `held` and `served`: milliseconds until each pod's gate was open, and until it was Ready.

    `backlog_seconds`: after the last pod was Ready, until the operator had confirmed all and was idle.
    `never_ready`: pods that were wanted and missing before all ended; `replaced`: pods beyond those that were wanted;
    `faults`: devices given twice; `errors`: reconciles that raised; `left`: claims whose pods were gone. `operators`:
    what the operator asked for, by phase; `complaints`: what its log warned of, or worse.
    """

    settings: Settings
    known_seconds: float = 0.0
    phases: list[Phase] = field(default_factory=list)
    held: Sequence[float] = ()
    served: Sequence[float] = ()
    backlog_seconds: float = 0.0
    restart: Restart | None = None
    never_ready: int = 0
    replaced: int = 0
    faults: int = 0
    errors: float = 0.0
    left: int = 0
    ended_mib: float = 0.0
    operators: dict[str, Counter[str]] = field(default_factory=dict)
    complaints: Counter[str] = field(default_factory=Counter)

    def phase(self, name: str) -> Phase:
        """The phase of that name. Raises StopIteration for one that was left out."""
        return next(each for each in self.phases if each.name == name)

    @property
    def rested(self) -> bool:
        """Whether the full cluster was looked at while nothing happened."""
        return any(each.name == "rest" for each in self.phases)

    @property
    def incomplete(self) -> int:
        """Phases that did not come to their end, or were left out for lack of time."""
        asked = QUARTERS + 1 + bool(self.settings.churn) + 1
        return asked - sum(each.complete for each in self.phases)

    @property
    def fill(self) -> list[Phase]:
        """The quarters in which pods came."""
        return [each for each in self.phases if each.name.startswith("fill")]

    def beyond_rest(self, phases: Sequence[Phase]) -> float:
        """Processor milliseconds of the operator for a pod, less what it takes in that time when nothing happens.

        What rests then weighs the more the longer a busy machine takes for a pod.
        """
        rest = self.phase("rest").spent
        seconds = sum(each.spent.seconds for each in phases)
        used = sum(each.spent.processor[OPERATOR] for each in phases)
        idle = rest.processor[OPERATOR] / rest.seconds * seconds
        return 1000 * (used - idle) / sum(each.pods for each in phases)


def rows(measured: Measured) -> list[Row]:
    """The rows of one run."""
    asked = bounds("scale")
    found = [*_coming(measured), *_resting(measured), *_restarted(measured), *_changing(measured), *_faults(measured)]
    return [figure(metric, unit, value, [value], asked.get(metric)) for metric, unit, value in found]


def _coming(measured: Measured) -> Iterator[_Figure]:
    fill = measured.fill
    pods, seconds = sum(each.pods for each in fill), sum(each.spent.seconds for each in fill)
    used = sum(each.spent.processor[OPERATOR] for each in fill)
    asked = sum((measured.operators[each.name] for each in fill), Counter[str]())
    yield "nodes_known_seconds", "s", measured.known_seconds
    yield "fill_pods_per_second", "1/s", pods / seconds
    for name, values in (("open", measured.held), ("ready", measured.served)):
        for percent in (50, 99):
            if values:
                yield f"fill_{name}_p{percent}_ms", "ms", percentile(values, percent)
    yield "fill_operator_ms_a_pod", "ms", 1000 * used / pods
    first, last, beyond = measured.beyond_rest(fill[:1]), measured.beyond_rest(fill[-1:]), measured.beyond_rest(fill)
    yield "fill_operator_ms_a_pod_beyond_rest", "ms", beyond
    if first > 0:
        yield "fill_beyond_rest_last_to_first", "1", last / first
    yield "fill_operator_cores", "1", used / seconds
    yield "fill_all_cores", "1", sum(each.spent.total for each in fill) / seconds
    yield "fill_requests_per_second", "1/s", sum(each.requests.total() for each in fill) / seconds
    yield "fill_operator_requests_per_second", "1/s", asked.total() / seconds
    yield "fill_operator_requests_a_pod", "1", asked.total() / pods
    yield "fill_operator_writes_a_pod", "1", writes(asked) / pods
    yield "fill_backlog_seconds", "s", measured.backlog_seconds
    yield "fill_queue_depth_most", "1", max((depth for each in fill for depth in each.deepest.values()), default=0)


def _resting(measured: Measured) -> Iterator[_Figure]:
    rest = measured.phase("rest")
    yield "held_operator_mib", "MiB", rest.mib
    yield "held_operator_peak_mib", "MiB", rest.peak_mib
    yield "rest_operator_percent", "%", 100 * rest.spent.processor[OPERATOR] / rest.spent.seconds
    yield "rest_apiserver_percent", "%", 100 * rest.spent.processor[APISERVER] / rest.spent.seconds
    yield "rest_requests_per_second", "1/s", rest.requests.total() / rest.spent.seconds
    yield "rest_operator_requests_per_second", "1/s", measured.operators["rest"].total() / rest.spent.seconds


def _restarted(measured: Measured) -> Iterator[_Figure]:
    found = measured.restart
    if found is None:
        return
    yield "restart_ready_seconds", "s", found.ready
    yield "restart_accepts_seconds", "s", found.accepted
    yield "restart_first_pod_placed_seconds", "s", found.placed
    yield "restart_first_pod_ready_seconds", "s", found.served
    yield "restart_idle_seconds", "s", found.idle
    yield "restart_operator_processor_seconds", "s", found.processor
    yield "restart_operator_peak_mib", "MiB", found.peak_mib
    yield "restart_operator_writes", "1", writes(measured.operators["restart"])


def _changing(measured: Measured) -> Iterator[_Figure]:
    for each in measured.phases:
        if each.name in ("churn", "end") and each.pods:
            yield f"{each.name}_pods_per_second", "1/s", each.pods / each.spent.seconds
            yield f"{each.name}_operator_ms_a_pod", "ms", each.operator_ms_a_pod
            yield f"{each.name}_operator_requests_a_pod", "1", measured.operators[each.name].total() / each.pods
    yield "peak_operator_mib", "MiB", max(each.peak_mib for each in measured.phases)
    yield "ended_operator_mib", "MiB", measured.ended_mib


def _faults(measured: Measured) -> Iterator[_Figure]:
    yield "incomplete_phases", "1", measured.incomplete
    yield "pods_never_ready", "1", measured.never_ready
    yield "pods_made_again", "1", measured.replaced
    yield "devices_given_twice", "1", measured.faults
    yield "reconcile_errors", "1", measured.errors
    yield "claims_left", "1", measured.left


def notes(measured: Measured) -> list[str]:
    """Phase by phase: who computed, what was asked of the API server, which queues were deepest."""
    lines = ["", "one machine for API server, etcd, controller manager, scheduler, KWOK, operator, agent and this load"]
    lines.append("processor milliseconds a pod, by process; the operator's memory:")
    lines += [
        f"  {each.name:9} {each.spent.seconds:6.1f} s, {each.pods / each.spent.seconds:5.1f} pods/s, "
        f"{each.mib:.0f} MiB: {_listed(each.spent.a_pod(each.pods))}"
        for each in measured.phases
        if each.name != "rest" and each.pods
    ]
    rest = measured.phase("rest")
    shares = {name: 100 * used / rest.spent.seconds for name, used in rest.spent.processor.items()}
    lines.append(f"percent of a processor at rest: {_listed(shares)}")
    lines.append("deepest queues:")
    lines += [
        f"  {each.name:9} {_listed({name: n for name, n in each.deepest.items() if n})}" for each in measured.phases
    ]
    fill = sum((each.requests for each in measured.fill), Counter[str]())
    seconds = sum(each.spent.seconds for each in measured.fill)
    lines += _table("requests a second while pods come, of everybody:", fill, seconds)
    lines += _table("at rest:", rest.requests, rest.spent.seconds)
    ours = sum((measured.operators[each.name] for each in measured.fill), Counter[str]())
    lines += _table("the operator's a pod while pods come:", ours, sum(each.pods for each in measured.fill))
    for each in measured.phases:
        if each.name in ("churn", "end") and each.pods:
            lines += _table(f"the operator's a pod, {each.name}:", measured.operators[each.name], each.pods)
    if measured.restart is not None:
        lines += _table("the operator's in all after its restart:", measured.operators["restart"], 1)
    lines += _table("what the operator's log warns of, or worse:", measured.complaints, 1)
    return lines


def _table(title: str, counts: Counter[str], by: float) -> list[str]:
    return [title, *(f"  {count / by:9.2f}  {what}" for what, count in counts.most_common(_SHOWN))]


def _listed(values: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {value:.1f}" for name, value in sorted(values.items(), key=lambda each: -each[1]))
