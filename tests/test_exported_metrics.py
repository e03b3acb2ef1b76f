"""The check itself: whatever is taken away, added or changed in a page is said."""

import pytest

from controller.runtime.instrument import Instrument, Kind
from controller.telemetry.catalogue import PROCESSES, exported_by
from controller.telemetry.families import Family
from controller.telemetry.histograms import Merged
from controller.telemetry.text import pieces
from tests.exported_metrics import difference, names_without_series


def page(instrument: Instrument) -> str:
    """One series of each kind."""
    labels = tuple(f"a {label}" for label in instrument.labels)
    if instrument.kind is Kind.HISTOGRAM:
        counts = [1] * (len(instrument.buckets) + 1)
        return "".join(pieces(Family(instrument, histograms=[(labels, Merged(instrument.buckets, counts, 1.0))])))
    return "".join(pieces(Family(instrument, figures=[(labels, 1.0)])))


def pages(process: str) -> dict[str, str]:
    return {name: page(instrument) for name, instrument in exported_by(process).items()}


@pytest.mark.parametrize("process", PROCESSES)
def test_as_declared_nothing_differs(process: str) -> None:
    found = difference(process, ["".join(pages(process).values())])
    assert found.missing | found.undeclared == set()
    assert list(found.wrong) == []


@pytest.mark.parametrize("process", PROCESSES)
def test_each_metric_that_is_taken_away_is_missed(process: str) -> None:
    whole = pages(process)
    assert len(whole) > 5
    for name in whole:
        left = [text for other, text in whole.items() if other != name]
        assert difference(process, left).missing == {name}


def test_of_two_replicas_one_may_tell_what_the_other_does_not() -> None:
    first, *rest = pages("operator").values()
    assert difference("operator", [first, "".join(rest)]).missing == set()


def test_a_metric_of_another_process_is_undeclared() -> None:
    alien = exported_by("agent")["aim_gpu_power_watts"]
    assert difference("gateway", [page(alien)]).undeclared == {"aim_gpu_power_watts"}


QUEUED = "aim_model_queued_requests"
WAIT = "aim_model_queue_wait_seconds"


@pytest.mark.parametrize(
    ("name", "old", "new", "want"),
    [
        pytest.param(QUEUED, "TYPE aim_model_queued_requests gauge", "TYPE aim_model_queued_requests untyped",
                     "told as a unknown", id="kind"),
        pytest.param(QUEUED, "Requests that wait", "Requests who wait", "it says 'Requests who wait", id="words"),
        pytest.param(QUEUED, 'namespace="a namespace",', "", "declared with ['model', 'namespace'", id="label gone"),
        pytest.param(QUEUED, "{", '{pod="x",', "has the labels ['model', 'namespace', 'pod'", id="label more"),
        pytest.param(QUEUED, "1.0", "NaN", "a series is nan", id="no number"),
        pytest.param(WAIT, 'le="0.005"', 'le="0.006"', "no series has the edges ['0.005']", id="edge"),
    ],
)  # fmt: skip
def test_a_change_is_said(name: str, old: str, new: str, want: str) -> None:
    text = page(exported_by("gateway")[name])
    assert old in text
    (said,) = difference("gateway", [text.replace(old, new)]).wrong
    assert want in said


def test_what_nobody_measured_is_known() -> None:
    instrument = exported_by("gateway")[QUEUED]
    told = "".join(text for name, text in pages("gateway").items() if name != QUEUED)
    assert names_without_series("gateway", [told, "".join(pieces(Family(instrument)))]) == {QUEUED}
