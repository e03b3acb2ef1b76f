import json
from dataclasses import asdict
from typing import Literal

import pytest

from e2e.engine.judge import excesses, most_in_flight, seats_of
from e2e.engine.record import Entry, Record
from e2e.engine.settings import EngineSettings

Event = Literal["begin", "end", "gone"]


def entry(at: float, event: Event, request: str, *, engine: str = "a", partition: str = "p") -> Entry:
    return Entry(at, engine, partition, "acme/chat", event, request, in_flight=0, seats=4)


def test_requests_of_all_engines_of_a_partition_count_together() -> None:
    entries = [
        entry(1.0, "begin", "1"),
        entry(2.0, "begin", "2", engine="b"),
        entry(3.0, "end", "1"),
        entry(4.0, "begin", "3", engine="b"),
        entry(5.0, "end", "2", engine="b"),
        entry(6.0, "end", "3", engine="b"),
    ]
    assert most_in_flight(entries, lambda found: found.partition) == {"p": 2}
    assert most_in_flight(entries, lambda found: found.engine) == {"a": 1, "b": 2}


def test_one_more_than_allowed_is_told() -> None:
    entries = [entry(1.0, "begin", "1"), entry(2.0, "begin", "2"), entry(3.0, "end", "1"), entry(4.0, "end", "2")]
    (found,) = excesses(entries, lambda found: found.partition, {"p": 1, "other": 1})
    assert str(found) == "p had 2 requests in flight, 1 may be"
    assert excesses(entries, lambda found: found.partition, {"p": 2}) == []


@pytest.mark.parametrize(
    ("event", "at", "want"),
    [
        pytest.param("end", 2.0, 1, id="over before the next began"),
        pytest.param("end", 2.11, 2, id="over after the next began"),
        pytest.param("gone", 2.11, 1, id="hung up, which the engine learnt a moment later"),
        pytest.param("gone", 2.5, 2, id="hung up too late to excuse it"),
    ],
)
def test_an_end_at_the_same_moment_or_told_late(event: Event, at: float, want: int) -> None:
    entries = [entry(1.0, "begin", "1"), entry(2.1, "begin", "2"), entry(at, event, "1"), entry(3.0, "end", "2")]
    assert most_in_flight(entries, lambda found: found.partition) == {"p": want}


def test_requests_that_never_end_count_on() -> None:
    entries = [entry(1.0, "begin", "1"), entry(9.0, "begin", "2")]
    assert most_in_flight(entries, lambda found: found.partition) == {"p": 2}


def test_the_record_is_written_as_it_is_read() -> None:
    lines: list[str] = []

    class File:
        def write(self, text: str) -> None:
            lines.append(text)

        def flush(self) -> None:
            pass

    settings = EngineSettings(model="acme/chat", engine="a", partition="p", seats=4)
    record = Record(settings, iter([1.0, 2.0, 3.0]).__next__, File())  # type: ignore[arg-type]
    record.begin("1", priority=4)
    record.begin("2", priority=0)
    record.end("1", priority=4, gone=True)
    read = list(map(Entry.read, lines))
    assert [(one.at, one.event, one.request, one.in_flight, one.priority) for one in read] == [
        (1.0, "begin", "1", 1, 4),
        (2.0, "begin", "2", 2, 0),
        (3.0, "gone", "1", 1, 4),
    ]
    assert (record.in_flight, record.most_in_flight) == (1, 2)
    assert json.loads(lines[0]) == asdict(read[0])


def test_a_line_of_something_else_is_refused() -> None:
    with pytest.raises(ValueError, match="is no line of an engine's record"):
        Entry.read('{"at": 1.0}')


def test_an_engine_may_have_as_many_as_it_has_seats() -> None:
    entries = [entry(float(number), "begin", str(number)) for number in range(5)]
    (found,) = excesses(entries, lambda found: found.engine, seats_of(entries))
    assert (found.of, found.most, found.allowed) == ("a", 5, 4)
