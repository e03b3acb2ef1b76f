from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.exporter.engines.figures import Figures, Observations
from controller.exporter.engines.totals import ServiceKey, Totals
from controller.exporter.engines.vocabulary import Measure

EDGES = dict.fromkeys(Measure, (1.0, 2.0))
CHAT = ServiceKey("team-a", "chat", "a/b")


def totals() -> Totals:
    return Totals(EDGES, 60.0)


def counted(requests: int = 0, *, started: float | None = None, seconds: tuple[int, int, int] = (0, 0, 0)) -> Figures:
    observed = {Measure.LATENCY: Observations(seconds, float(sum(seconds)))} if any(seconds) else {}
    return Figures(started, {"200": requests}, {"input": 10 * requests}, observed, waiting=1, filled=0.5)


def take(into: Totals, figures: Figures, engine: str = "one", *, whole: bool = True, told: bool = True) -> None:
    into.take(engine, CHAT, figures, whole=whole, told=told)


def requests(of: Totals, service: ServiceKey = CHAT) -> int:
    return of.services[service].requests["200"]


def test_an_engine_that_began_before_our_eyes_counts_from_nothing() -> None:
    found = totals()
    take(found, counted(3))
    take(found, counted(5))
    assert (requests(found), found.services[CHAT].tokens["input"]) == (5, 50)


def test_what_an_engine_counted_before_we_looked_first_is_not_told() -> None:
    found = totals()
    take(found, counted(1000), whole=False)
    assert requests(found) == 0
    take(found, counted(1002), whole=False)
    assert requests(found) == 2


@pytest.mark.parametrize(
    ("before", "after", "want"),
    [
        pytest.param(counted(5), counted(2), 7, id="a counter that fell"),
        pytest.param(counted(5, started=1.0), counted(9, started=2.0), 14, id="another process that was asked more"),
        pytest.param(counted(5, started=1.0), counted(9, started=1.0), 9, id="the same process"),
        pytest.param(counted(5, started=1.0), counted(9), 9, id="a process that does not say"),
    ],
)
def test_an_engine_that_began_anew(before: Figures, after: Figures, want: int) -> None:
    found = totals()
    take(found, before)
    take(found, after)
    assert requests(found) == want


def test_when_a_process_began_is_remembered_over_a_page_that_does_not_say() -> None:
    found = totals()
    for figures in (counted(5, started=1.0), Figures(), counted(9, started=2.0)):
        take(found, figures)
    assert requests(found) == 14


def test_what_a_page_lacked_once_is_not_counted_twice() -> None:
    found = totals()
    take(found, counted(5, seconds=(1, 2, 3)))
    take(found, Figures(waiting=2))
    take(found, counted(6, seconds=(1, 2, 4)))
    assert requests(found) == 6
    assert found.services[CHAT].histograms[Measure.LATENCY].counts == [1, 1, 2]


def test_a_histogram_is_added_bucket_by_bucket() -> None:
    found = totals()
    take(found, counted(seconds=(1, 2, 3)))
    take(found, counted(seconds=(2, 3, 5)))
    take(found, counted(seconds=(0, 0, 1)))  # began anew
    total = found.services[CHAT].histograms[Measure.LATENCY]
    assert (total.edges, total.counts, total.sum) == ((1.0, 2.0), [2, 1, 3], 11.0)


@pytest.mark.parametrize(
    ("before", "after", "want"),
    [
        pytest.param(Observations((5, 5, 5), 15.0), Observations((0, 9, 9), 40.0), [5, 9, 0], id="fewer in a bucket"),
        pytest.param(Observations((5, 5, 5), 2.0), Observations((6, 6, 9), 1.0), [11, 0, 3], id="less in all"),
        pytest.param(Observations((5, 6, 9), 5.0), Observations((7, 7, 10), 9.0), [12, 1, 6], id="fewer between two"),
    ],
)
def test_a_histogram_that_contradicts_the_last_reading_began_anew(
    before: Observations, after: Observations, want: list[int]
) -> None:
    found = totals()
    for observed in (before, after):
        take(found, Figures(histograms={Measure.LATENCY: observed}))
    assert found.services[CHAT].histograms[Measure.LATENCY].counts == want


def test_engines_that_come_and_go_leave_what_they_counted() -> None:
    found = totals()
    take(found, counted(5), "one")
    take(found, counted(7), "two")
    found.forget_all_but({"two"})
    assert requests(found) == 12
    take(found, counted(8), "two")
    take(found, counted(1), "one")  # a pod of the same uid does not come again; if it did, it would be another engine
    assert requests(found) == 14


def test_a_service_ends_when_it_has_been_without_a_pod_for_long() -> None:
    found = totals()
    take(found, counted(5))
    found.keep({CHAT}, 100.0)
    found.keep((), 160.0)
    assert requests(found) == 5
    found.keep((), 160.1)
    assert CHAT not in found.services


def test_a_service_whose_pod_is_back_in_time_goes_on() -> None:
    found = totals()
    take(found, counted(5))
    for now in (100.0, 150.0, 200.0, 250.0):
        found.keep({CHAT} if now != 150.0 else (), now)
    assert requests(found) == 5


def test_what_somebody_else_tells_is_no_part_of_it() -> None:
    found = totals()
    take(found, counted(5), told=False)
    assert not found.services
    take(found, counted(6), told=True)
    assert requests(found) == 1
    found.end(CHAT)
    take(found, counted(8), told=True)
    assert requests(found) == 2


def test_how_engines_are_now_is_told_of_those_that_answered() -> None:
    found = totals()
    take(found, counted(1), "one")
    take(found, counted(2), "two", told=False)
    assert [(service, one.requests["200"]) for service, one in found.now()] == [(CHAT, 1), (CHAT, 2)]
    found.silent("one")
    assert [one.requests["200"] for _, one in found.now()] == [2]
    found.forget_all_but(())
    assert list(found.now()) == []


lives = st.lists(st.lists(st.integers(0, 5), min_size=1, max_size=5), min_size=1, max_size=4)


def readings(life: list[int], started: float) -> Iterator[Figures]:
    """An engine's readings, given how many requests each saw more than the last."""
    for place in range(len(life)):
        yield counted(sum(life[: place + 1]), started=started)


@given(st.lists(lives, min_size=1, max_size=3), st.randoms(use_true_random=False))
def test_a_total_is_all_that_was_served_and_never_falls(pods: list[list[list[int]]], random: object) -> None:
    """Each pod has some lives, of which each begins at nothing; readings of pods are mixed as it comes."""
    queues = [
        (f"pod-{number}", [one for start, life in enumerate(pod) for one in readings(life, float(start))])
        for number, pod in enumerate(pods)
    ]
    found, last = totals(), 0
    while queues:
        at = random.randrange(len(queues))  # type: ignore[attr-defined]
        name, left = queues[at]
        take(found, left.pop(0), name)
        assert requests(found) >= last
        last = requests(found)
        if not left:
            queues.pop(at)
            found.forget_all_but({name for name, _ in queues})
    assert last == sum(map(sum, (life for pod in pods for life in pod)))
