"""Which occurrences become one Event, and when its count may be written."""

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.runtime.event_correlation import (
    BURST,
    COMBINED,
    NOTES,
    REFILL_SECONDS,
    TELL_SECONDS,
    WINDOW_SECONDS,
    EventCorrelator,
    EventKind,
    Occurrence,
    Series,
)
from tests.fakes.clock import START

POD = {"apiVersion": "v1", "kind": "Pod", "namespace": "ns", "name": "p", "uid": "u"}


def occurrence(
    note: str = "n", kind: EventKind = "Normal", reason: str = "R", action: str = "A", **about: str
) -> Occurrence:
    return Occurrence(POD | about, kind, reason, action, note)


class Story:
    """A correlator and its time; `sees` says what happened, `tells` that the server knows."""

    def __init__(self) -> None:
        self.correlator = EventCorrelator()
        self.now = 1000.0

    def sees(self, what: Occurrence, after: float = 0.0) -> Series | None:
        self.now += after
        return self.correlator.observe(what, self.now, START + timedelta(seconds=self.now))

    def must_see(self, what: Occurrence, after: float = 0.0) -> Series:
        series = self.sees(what, after)
        assert series is not None
        return series

    def tells(self, series: Series) -> None:
        self.correlator.told(series, series.count, self.now)


@pytest.fixture
def story() -> Story:
    return Story()


@pytest.mark.parametrize(
    ("other", "want"),
    [
        pytest.param(occurrence(), True, id="the very same"),
        pytest.param(occurrence(resourceVersion="7"), True, id="the object has another resourceVersion"),
        pytest.param(occurrence(note="m"), False, id="another note"),
        pytest.param(occurrence(kind="Warning"), False, id="another type"),
        pytest.param(occurrence(reason="S"), False, id="another reason"),
        pytest.param(occurrence(action="B"), False, id="another action"),
        pytest.param(occurrence(uid="v"), False, id="another object of that name"),
        pytest.param(occurrence(namespace="other"), False, id="another namespace"),
    ],
)
def test_what_is_one_series(story: Story, other: Occurrence, want: bool) -> None:
    first = story.must_see(occurrence())
    second = story.must_see(other)
    assert (first is second) is want
    assert (first.count, second.count) == ((2, 2) if want else (1, 1))
    assert (first.name == second.name) is want


def test_a_series_lives_as_long_as_it_goes_on(story: Story) -> None:
    first = story.must_see(occurrence())
    for _ in range(5):
        assert story.sees(occurrence(), WINDOW_SECONDS - 1) is first
    assert first.count == 6
    assert first.last - first.first == timedelta(seconds=5 * (WINDOW_SECONDS - 1))
    assert story.sees(occurrence(), WINDOW_SECONDS) is not first


def test_the_eleventh_note_begins_a_combined_series(story: Story) -> None:
    own = [story.must_see(occurrence(f"pod-{number}")) for number in range(NOTES)]
    combined = story.must_see(occurrence("pod-10"))
    assert combined.note == f"{COMBINED}pod-10"
    assert story.sees(occurrence("pod-11")) is combined
    assert combined.count == 2
    assert story.sees(occurrence("pod-3")) is own[3], "what has an Event keeps it"
    assert story.must_see(occurrence("x", reason="S")).note == "x", "another reason is another group"


def test_notes_that_ended_make_room_for_others(story: Story) -> None:
    for number in range(NOTES):
        story.must_see(occurrence(f"pod-{number}"), after=1.0)
    combined = story.must_see(occurrence("late"))
    assert combined.note.startswith(COMBINED)
    after = story.must_see(occurrence("later"), after=WINDOW_SECONDS - NOTES + 1)
    assert after.note == "later"


def test_notes_end_by_their_last_occurrence(story: Story) -> None:
    for number in range(NOTES):
        story.must_see(occurrence(f"pod-{number}"))
    kept = story.must_see(occurrence("pod-0"), after=WINDOW_SECONDS - 1)
    assert story.must_see(occurrence("new"), after=1).note == "new"
    assert story.sees(occurrence("pod-0")) is kept


def test_a_long_quiet_allows_no_more_than_a_burst(story: Story) -> None:
    story.must_see(occurrence())
    story.now += 100 * REFILL_SECONDS
    got = [story.sees(occurrence(reason=f"R{number}")) for number in range(BURST + 1)]
    assert got[-1] is None
    assert None not in got[:-1]


def test_an_object_gets_a_burst_and_then_one_in_five_minutes(story: Story) -> None:
    got = [story.sees(occurrence(reason=f"R{number}")) for number in range(BURST + 3)]
    assert [series is not None for series in got] == [True] * BURST + [False] * 3
    assert story.sees(occurrence(reason="other", name="another")) is not None, "another object has its own"
    assert story.sees(occurrence(reason="late"), REFILL_SECONDS - 1) is None
    assert story.sees(occurrence(reason="late"), 1) is not None
    assert story.sees(occurrence(reason="later")) is None


def test_what_was_limited_is_no_series(story: Story) -> None:
    for number in range(BURST):
        story.must_see(occurrence(reason=f"R{number}"))
    assert story.sees(occurrence(reason="late")) is None
    again = story.must_see(occurrence(reason="late"), REFILL_SECONDS)
    assert again.count == 1


def test_the_first_repetition_is_told_at_once_and_later_ones_in_five_minutes(story: Story) -> None:
    series = story.must_see(occurrence())
    assert story.correlator.may_be_told(series, story.now)
    story.tells(series)
    story.must_see(occurrence(), after=1)
    assert story.correlator.may_be_told(series, story.now)
    story.tells(series)
    story.must_see(occurrence(), after=1)
    assert not story.correlator.may_be_told(series, story.now)
    assert story.correlator.next_due() == story.now - 1 + TELL_SECONDS
    assert story.correlator.due(story.now + TELL_SECONDS - 2) == []
    assert story.correlator.due(story.now + TELL_SECONDS - 1) == [series]
    assert story.correlator.next_due() is None


def test_counts_leave_five_writes_to_new_events(story: Story) -> None:
    known = [story.must_see(occurrence(reason=f"R{number}")) for number in range(BURST - 6)]
    for series in known:
        story.tells(series)
        story.must_see(series.occurrence)
    told = [story.correlator.may_be_told(series, story.now) for series in known]
    assert told == [True] + [False] * (len(known) - 1)
    fresh = [story.sees(occurrence(reason=f"S{number}")) for number in range(6)]
    assert [series is not None for series in fresh] == [True] * 5 + [False]


def test_counts_that_wait_for_a_token_come_one_by_one(story: Story) -> None:
    known = [story.must_see(occurrence(reason=f"R{number}")) for number in range(BURST - 5)]
    for series in known:
        story.tells(series)
        story.must_see(series.occurrence)
        assert not story.correlator.may_be_told(series, story.now)
    for number in range(3):
        due = story.correlator.next_due()
        assert due == pytest.approx(story.now + (number + 1) * REFILL_SECONDS)
        assert len(story.correlator.due(due or 0.0)) == 1


@settings(max_examples=30, deadline=None)
@given(st.floats(0.0, 1e7), st.floats(0.0, WINDOW_SECONDS / 2))
def test_what_is_due_can_be_told_then(start: float, quiet: float) -> None:
    """Otherwise whoever waits for it would find it due, and not get it, for ever."""
    story = Story()
    story.now = start
    known = [story.must_see(occurrence(reason=f"R{number}")) for number in range(BURST - 5)]
    story.now += quiet
    for series in known:
        story.tells(series)
        story.must_see(series.occurrence)
        story.correlator.may_be_told(series, story.now)
    while (due := story.correlator.next_due()) is not None:
        assert story.correlator.due(due) != []


def test_at_the_end_everything_that_waits_is_given_out(story: Story) -> None:
    series = story.must_see(occurrence())
    for _ in range(2):
        story.tells(series)
        story.must_see(occurrence())
    story.tells(series)
    story.must_see(occurrence())
    assert not story.correlator.may_be_told(series, story.now)
    assert story.correlator.take_waiting() == [series]
    assert story.correlator.take_waiting() == []


def test_a_forgotten_series_begins_anew(story: Story) -> None:
    first = story.must_see(occurrence())
    story.correlator.forget(first)
    again = story.must_see(occurrence())
    assert again is not first
    assert again.name != first.name


def test_it_remembers_a_bounded_number(story: Story) -> None:
    first = story.must_see(occurrence())
    for number in range(5000):
        story.must_see(occurrence(name=f"p-{number}"))
    assert story.sees(occurrence()) is not first
    for number in range(4000):
        story.must_see(occurrence(name=f"q-{number}"), after=WINDOW_SECONDS / 1000)
    found = story.correlator.statistics()
    assert found.groups <= 1001
    assert found.objects == 4096


@pytest.mark.parametrize(
    ("name", "want"),
    [
        pytest.param("web-0", "web-0.", id="an object's name"),
        pytest.param("system:node:A", "system-node-a.", id="a name that no Event may have"),
        pytest.param(f"{'a' * 199}-b", f"{'a' * 199}.", id="a long name cut at a dash"),
    ],
)
def test_names_that_the_api_takes(story: Story, name: str, want: str) -> None:
    made = story.must_see(occurrence(name=name)).name
    assert made.startswith(want)
    assert len(made) <= 253
