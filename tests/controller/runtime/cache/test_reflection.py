"""The machine of list and watch, step by step, without a server."""

from random import Random

import pytest

from controller.runtime.cache.reflection import (
    Applied,
    Change,
    EventSeen,
    Failed,
    Failure,
    Input,
    ListPage,
    PageListed,
    Phase,
    Reflection,
    Removed,
    Replaced,
    UnexpectedInput,
    Watch,
    WatchEnded,
    WatchOpened,
)
from controller.runtime.manifest import Manifest


def obj(name: str, version: int) -> Manifest:
    return {"metadata": {"name": name, "resourceVersion": str(version)}}


@pytest.fixture
def machine() -> Reflection:
    return Reflection(Random(1))


@pytest.fixture
def watching(machine: Reflection) -> Reflection:
    """Listed at version 10, and the watch is open since second 0."""
    step(machine, PageListed([obj("a", 9)], "10", None), WatchOpened())
    return machine


def step(machine: Reflection, *happened: Input, now: float = 0.0) -> list[Change | None]:
    return [machine.step(one, now) for one in happened]


def list_action(machine: Reflection) -> ListPage:
    action = machine.next_action()
    assert isinstance(action, ListPage)
    return action


def watch_action(machine: Reflection) -> Watch:
    action = machine.next_action()
    assert isinstance(action, Watch)
    return action


def test_it_begins_with_what_the_server_has_in_memory(machine: Reflection) -> None:
    assert machine.next_action() == ListPage(0.0, "0", 0, None)


def test_a_list_in_one_page_then_a_watch_from_its_version(machine: Reflection) -> None:
    assert step(machine, PageListed([obj("a", 9)], "10", None)) == [Replaced([obj("a", 9)])]
    action = watch_action(machine)
    assert (action.delay, action.resource_version) == (0.0, "10")
    assert 300 <= action.timeout_seconds <= 600


def test_pages_are_one_replacement(machine: Reflection) -> None:
    assert step(machine, PageListed([obj("a", 1)], "10", "more")) == [None]
    assert list_action(machine).continue_token == "more"
    assert step(machine, PageListed([obj("b", 2)], "10", None)) == [Replaced([obj("a", 1), obj("b", 2)])]


def test_a_failed_page_starts_the_list_again(machine: Reflection) -> None:
    step(machine, PageListed([obj("a", 1)], "10", "more"), Failed(Failure.EXPIRED))
    action = list_action(machine)
    assert (action.continue_token, action.resource_version, action.limit) == (None, None, 500)
    assert action.delay > 0
    assert step(machine, PageListed([obj("b", 2)], "11", None)) == [Replaced([obj("b", 2)])]


def test_events_move_the_version(watching: Reflection) -> None:
    changes = step(watching, EventSeen("ADDED", obj("b", 11)), EventSeen("DELETED", obj("a", 12)))
    assert changes == [Applied(obj("b", 11)), Removed(obj("a", 12))]
    step(watching, WatchEnded(), now=300.0)
    assert watch_action(watching).resource_version == "12"


def test_a_bookmark_moves_only_the_version(watching: Reflection) -> None:
    assert step(watching, EventSeen("BOOKMARK", obj("", 50))) == [None]
    step(watching, WatchEnded(), now=300.0)
    assert watch_action(watching).resource_version == "50"


def test_a_version_that_goes_back_is_followed(watching: Reflection) -> None:
    step(watching, EventSeen("ADDED", obj("b", 11)), EventSeen("MODIFIED", obj("b", 3)))
    assert watching.statistics().resource_version == "3"


def test_a_watch_that_ends_in_order_is_opened_again_at_once(watching: Reflection) -> None:
    step(watching, WatchEnded(), now=1.0)
    assert watch_action(watching).delay == 0.0


def test_a_short_watch_without_events_waits(watching: Reflection) -> None:
    step(watching, WatchEnded(), now=0.9)
    assert 0.8 <= watch_action(watching).delay <= 1.6


def test_a_short_watch_with_events_does_not_wait(watching: Reflection) -> None:
    step(watching, EventSeen("ADDED", obj("b", 11)), WatchEnded(), now=0.1)
    assert watch_action(watching).delay == 0.0


def test_short_watches_wait_longer_and_longer(watching: Reflection) -> None:
    delays = []
    for _ in range(4):
        step(watching, WatchEnded(), now=0.1)
        delays.append(watch_action(watching).delay)
        step(watching, WatchOpened(), now=0.1)
    assert delays == sorted(delays)
    assert delays[-1] >= 6.4


@pytest.mark.parametrize(
    ("failure", "want"),
    [
        pytest.param(Failure.UNREACHABLE, (Phase.WATCHING, "10"), id="unreachable: watch on from the version"),
        pytest.param(Failure.EXPIRED, (Phase.LISTING, None), id="expired: list from the quorum"),
        pytest.param(Failure.OTHER, (Phase.LISTING, "10"), id="anything else: list, not older"),
    ],
)
def test_a_failed_watch(watching: Reflection, failure: Failure, want: tuple[Phase, str | None]) -> None:
    step(watching, Failed(failure))
    found = watching.statistics()
    assert (found.phase, found.resource_version) == want
    assert watching.next_action().delay >= 0.8


def test_success_ends_the_wait(watching: Reflection) -> None:
    step(watching, Failed(Failure.EXPIRED))
    step(watching, PageListed([], "20", None))
    assert watch_action(watching).delay == 0.0


def test_an_event_of_an_unknown_type_is_named(watching: Reflection) -> None:
    with pytest.raises(UnexpectedInput, match="'RENAMED'"):
        step(watching, EventSeen("RENAMED", obj("a", 1)))


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param(WatchOpened(), id="a watch opened"),
        pytest.param(WatchEnded(), id="a watch ended"),
        pytest.param(EventSeen("ADDED", {}), id="an event"),
    ],
)
def test_reports_that_a_listing_machine_cannot_get(machine: Reflection, wrong: Input) -> None:
    with pytest.raises(UnexpectedInput, match=f"{type(wrong).__name__} while Listing"):
        step(machine, wrong)


def test_a_page_while_watching_is_unexpected(watching: Reflection) -> None:
    with pytest.raises(UnexpectedInput, match="PageListed while Watching"):
        step(watching, PageListed([], "1", None))


def test_statistics(watching: Reflection) -> None:
    step(watching, EventSeen("ADDED", obj("b", 11)), Failed(Failure.UNREACHABLE))
    found = watching.statistics()
    assert (found.lists, found.watches, found.events, found.failures) == (1, 1, 1, 1)
