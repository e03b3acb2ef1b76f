"""The machine of list and watch, step by step, without a server."""

from random import Random

import pytest

from controller.runtime.cache.messages import (
    Applied,
    BookmarkSeen,
    Change,
    EventSeen,
    Failed,
    Failure,
    ListPage,
    PageListed,
    RelistAsked,
    Removed,
    Replaced,
    Report,
    Watch,
    WatchEnded,
    WatchOpened,
)
from controller.runtime.cache.reflection import Phase, Reflection, UnexpectedReport
from controller.runtime.manifest import Manifest

END = BookmarkSeen("10", ends_initial=True)


def obj(name: str, version: int) -> Manifest:
    return {"metadata": {"name": name, "resourceVersion": str(version)}}


@pytest.fixture
def streaming() -> Reflection:
    """A new machine: it begins with a streaming list."""
    return Reflection(Random(1))


@pytest.fixture
def listing() -> Reflection:
    """A new machine that knows only paged lists."""
    return Reflection(Random(1), streaming=False)


@pytest.fixture(params=["streaming", "listing"])
def watching(request: pytest.FixtureRequest) -> Reflection:
    """Holds the list of version 10 since second 0, and its watch is open."""
    machine: Reflection = request.getfixturevalue(request.param)
    if request.param == "streaming":
        step(machine, WatchOpened(), EventSeen("ADDED", obj("a", 9)), END)
    else:
        step(machine, PageListed([obj("a", 9)], "10", None), WatchOpened())
    return machine


def step(machine: Reflection, *happened: Report[Manifest], now: float = 0.0) -> list[Change[Manifest] | None]:
    return [machine.step(one, now) for one in happened]


def list_action(machine: Reflection) -> ListPage:
    action = machine.next_action()
    assert isinstance(action, ListPage)
    return action


def watch_action(machine: Reflection) -> Watch:
    action = machine.next_action()
    assert isinstance(action, Watch)
    return action


# Streaming


def test_it_begins_with_the_latest_state_as_a_stream(streaming: Reflection) -> None:
    action = watch_action(streaming)
    assert (action.delay, action.resource_version, action.initial_events) == (0.0, None, True)
    assert 300 <= action.timeout_seconds <= 600


def test_initial_events_are_one_replacement_and_the_stream_is_the_watch(streaming: Reflection) -> None:
    told = step(streaming, WatchOpened(), EventSeen("ADDED", obj("b", 7)), EventSeen("ADDED", obj("a", 9)), END)
    assert told == [None, None, None, Replaced([obj("b", 7), obj("a", 9)])]
    assert step(streaming, EventSeen("MODIFIED", obj("a", 11))) == [Applied(obj("a", 11))]
    assert streaming.statistics().resource_version == "11"


def test_initial_events_give_no_version(streaming: Reflection) -> None:
    step(streaming, WatchOpened(), EventSeen("ADDED", obj("a", 9)), BookmarkSeen("8"))
    assert streaming.statistics().resource_version is None
    step(streaming, END)
    assert streaming.statistics().resource_version == "10"


def test_what_changes_while_it_streams_counts(streaming: Reflection) -> None:
    step(streaming, WatchOpened(), EventSeen("ADDED", obj("a", 5)), EventSeen("ADDED", obj("b", 6)))
    step(
        streaming,
        EventSeen("DELETED", obj("a", 8)),
        EventSeen("MODIFIED", obj("b", 9)),
        EventSeen("DELETED", obj("c", 9)),
    )
    assert step(streaming, END) == [Replaced([obj("b", 9)])]


@pytest.mark.parametrize(
    ("failure", "want"),
    [
        pytest.param(Failure.UNREACHABLE, (Phase.STREAMING, "10"), id="unreachable: a stream again, not older"),
        pytest.param(Failure.EXPIRED, (Phase.STREAMING, None), id="expired: a stream of the latest state"),
        pytest.param(Failure.STALLED, (Phase.LISTING, "10"), id="stalled: pages this time"),
        pytest.param(Failure.OTHER, (Phase.LISTING, "10"), id="refused: pages this time"),
    ],
)
def test_a_failed_stream(streaming: Reflection, failure: Failure, want: tuple[Phase, str | None]) -> None:
    step(streaming, WatchOpened(), END, Failed(Failure.OTHER), WatchOpened(), EventSeen("ADDED", obj("a", 11)))
    step(streaming, Failed(failure))
    assert (streaming.phase, streaming.statistics().resource_version) == want
    assert streaming.next_action().delay >= 0.8


def test_a_server_without_streaming_lists_is_asked_once(streaming: Reflection) -> None:
    step(streaming, WatchOpened(), Failed(Failure.UNSUPPORTED))
    assert streaming.next_action() == ListPage(0.0, "0", 0, None)
    step(streaming, PageListed([], "10", None), WatchOpened(), Failed(Failure.EXPIRED))
    assert streaming.phase is Phase.LISTING


def test_a_stream_that_ends_too_soon_is_followed_by_pages_once(streaming: Reflection) -> None:
    step(streaming, WatchOpened(), EventSeen("ADDED", obj("gone", 5)), WatchEnded(), now=2.0)
    assert (streaming.phase, streaming.next_action().delay >= 0.8) == (Phase.LISTING, True)
    assert step(streaming, PageListed([obj("a", 9)], "10", None)) == [Replaced([obj("a", 9)])]
    step(streaming, WatchOpened(), Failed(Failure.OTHER))
    assert streaming.phase is Phase.STREAMING


@pytest.mark.parametrize(
    "cut",
    [
        pytest.param([], id="whoever read it was cancelled"),
        pytest.param([Failed(Failure.UNREACHABLE)], id="unreachable"),
        pytest.param([Failed(Failure.STALLED), Failed(Failure.OTHER)], id="stalled, and no pages either"),
        pytest.param([WatchEnded(), Failed(Failure.OTHER)], id="ended, and no pages either"),
    ],
)
def test_half_a_stream_is_worth_nothing(streaming: Reflection, cut: list[Report[Manifest]]) -> None:
    step(streaming, WatchOpened(), EventSeen("ADDED", obj("gone", 5)), *cut)
    assert step(streaming, WatchOpened(), EventSeen("ADDED", obj("a", 9)), END)[-1] == Replaced([obj("a", 9)])


def test_pages_that_fail_after_a_stream_lead_back_to_a_stream(streaming: Reflection) -> None:
    step(streaming, WatchOpened(), Failed(Failure.OTHER), Failed(Failure.OTHER))
    assert streaming.phase is Phase.STREAMING


# Listing


def test_without_streams_it_begins_with_what_the_server_has_in_memory(listing: Reflection) -> None:
    assert listing.next_action() == ListPage(0.0, "0", 0, None)


def test_a_list_in_one_page_then_a_watch_from_its_version(listing: Reflection) -> None:
    assert step(listing, PageListed([obj("a", 9)], "10", None)) == [Replaced([obj("a", 9)])]
    action = watch_action(listing)
    assert (action.delay, action.resource_version, action.initial_events) == (0.0, "10", False)
    assert 300 <= action.timeout_seconds <= 600


def test_pages_are_one_replacement(listing: Reflection) -> None:
    assert step(listing, PageListed([obj("a", 1)], "10", "more")) == [None]
    assert list_action(listing).continue_token == "more"
    assert step(listing, PageListed([obj("b", 2)], "10", None)) == [Replaced([obj("a", 1), obj("b", 2)])]


def test_a_failed_page_starts_the_list_again(listing: Reflection) -> None:
    step(listing, PageListed([obj("a", 1)], "10", "more"), Failed(Failure.EXPIRED))
    action = list_action(listing)
    assert (action.continue_token, action.resource_version, action.limit) == (None, None, 500)
    assert action.delay > 0
    assert step(listing, PageListed([obj("b", 2)], "11", None)) == [Replaced([obj("b", 2)])]


# Watching, whichever way the list came


def test_events_move_the_version(watching: Reflection) -> None:
    changes = step(watching, EventSeen("ADDED", obj("b", 11)), EventSeen("DELETED", obj("a", 12)))
    assert changes == [Applied(obj("b", 11)), Removed(obj("a", 12))]
    step(watching, WatchEnded(), now=300.0)
    action = watch_action(watching)
    assert (action.resource_version, action.initial_events) == ("12", False)


def test_a_bookmark_moves_only_the_version(watching: Reflection) -> None:
    assert step(watching, BookmarkSeen("50")) == [None]
    step(watching, WatchEnded(), now=300.0)
    assert watch_action(watching).resource_version == "50"


def test_a_version_that_goes_back_is_followed(watching: Reflection) -> None:
    step(watching, EventSeen("ADDED", obj("b", 11)), EventSeen("MODIFIED", obj("b", 3)))
    assert watching.statistics().resource_version == "3"


def test_a_watch_that_ends_in_order_is_opened_again_at_once(watching: Reflection) -> None:
    step(watching, WatchEnded(), now=1.0)
    assert watch_action(watching).delay == 0.0


def test_a_short_watch_without_events_waits(watching: Reflection) -> None:
    step(watching, WatchEnded(), WatchOpened(), WatchEnded(), now=0.9)
    assert watch_action(watching).delay >= 0.8


def test_a_short_watch_with_events_does_not_wait(watching: Reflection) -> None:
    step(watching, EventSeen("ADDED", obj("b", 11)), WatchEnded(), now=0.1)
    assert watch_action(watching).delay == 0.0


@pytest.mark.parametrize(
    "brought",
    [
        pytest.param(EventSeen("ADDED", obj("b", 11)), id="an event"),
        pytest.param(BookmarkSeen("11"), id="a bookmark"),
    ],
)
def test_short_watches_in_succession_wait_whatever_they_brought(
    watching: Reflection, brought: Report[Manifest]
) -> None:
    step(watching, WatchEnded(), now=5.0)
    delays = []
    for _ in range(4):
        step(watching, WatchOpened(), brought, WatchEnded(), now=5.0)
        delays.append(watch_action(watching).delay)
    assert (delays[0], delays[1] >= 0.8, delays[3] >= 3.2) == (0.0, True, True)
    assert watch_action(watching).resource_version == "11"


def test_a_long_watch_ends_the_succession(watching: Reflection) -> None:
    event = EventSeen("ADDED", obj("b", 11))
    step(watching, event, WatchEnded(), WatchOpened(), event)
    step(watching, WatchEnded(), WatchOpened(), event, WatchEnded(), now=1.0)
    assert watch_action(watching).delay == 0.0


def checking(machine: Reflection) -> Reflection:
    """Its watch from version 10 lasted 30 s and brought nothing."""
    step(machine, PageListed([], "10", None), WatchOpened())
    step(machine, WatchEnded(), now=30.0)
    return machine


def test_a_silent_watch_has_its_version_checked(listing: Reflection) -> None:
    assert checking(listing).next_action() == ListPage(0.0, "10", 1, None)
    assert step(listing, PageListed([obj("any", 3)], "99", "more")) == [None]
    action = watch_action(listing)
    assert (action.delay, action.resource_version) == (0.0, "10")


@pytest.mark.parametrize(
    ("failure", "want"),
    [
        pytest.param(Failure.EXPIRED, (Phase.LISTING, None), id="the server never got there: list from the quorum"),
        pytest.param(Failure.UNREACHABLE, (Phase.WATCHING, "10"), id="unreachable: watch on"),
        pytest.param(Failure.OTHER, (Phase.LISTING, "10"), id="anything else: list, not older"),
    ],
)
def test_a_check_that_fails(listing: Reflection, failure: Failure, want: tuple[Phase, str | None]) -> None:
    step(checking(listing), Failed(failure))
    assert (listing.phase, listing.statistics().resource_version) == want
    assert listing.next_action().delay >= 0.8


@pytest.mark.parametrize(
    "brought",
    [pytest.param(EventSeen("ADDED", obj("b", 11)), id="an event"), pytest.param(BookmarkSeen("11"), id="a bookmark")],
)
def test_a_watch_that_brought_anything_needs_no_check(watching: Reflection, brought: Report[Manifest]) -> None:
    step(watching, WatchEnded(), WatchOpened(), brought)
    step(watching, WatchEnded(), now=600.0)
    assert watching.phase is Phase.WATCHING


def test_the_watch_after_an_absence_of_the_server_is_short(watching: Reflection) -> None:
    step(watching, Failed(Failure.UNREACHABLE))
    assert 30 <= watch_action(watching).timeout_seconds <= 60
    step(watching, WatchOpened())
    step(watching, WatchEnded(), PageListed([], "10", None), now=30.0)
    assert watch_action(watching).timeout_seconds >= 300


def test_short_watches_wait_longer_and_longer(watching: Reflection) -> None:
    step(watching, EventSeen("ADDED", obj("b", 11)), WatchEnded())
    delays = []
    for _ in range(4):
        step(watching, WatchOpened(), WatchEnded(), now=0.1)
        delays.append(watch_action(watching).delay)
    assert delays == sorted(delays)
    assert (delays[0] >= 0.8, delays[-1] >= 6.4) == (True, True)


@pytest.mark.parametrize(
    ("failure", "want"),
    [
        pytest.param(Failure.UNREACHABLE, (Phase.WATCHING, "10"), id="unreachable: watch on from the version"),
        pytest.param(Failure.EXPIRED, (Phase.LISTING, None), id="expired: list from the quorum"),
        pytest.param(Failure.OTHER, (Phase.LISTING, "10"), id="anything else: list, not older"),
    ],
)
def test_a_failed_watch(listing: Reflection, failure: Failure, want: tuple[Phase, str | None]) -> None:
    step(listing, PageListed([], "10", None), WatchOpened(), Failed(failure))
    assert (listing.phase, listing.statistics().resource_version) == want
    assert listing.next_action().delay >= 0.8


@pytest.mark.parametrize(
    ("failure", "want"),
    [
        pytest.param(Failure.EXPIRED, None, id="expired: stream from the quorum"),
        pytest.param(Failure.OTHER, "10", id="anything else: stream, not older"),
    ],
)
def test_a_failed_watch_leads_to_a_stream(streaming: Reflection, failure: Failure, want: str | None) -> None:
    step(streaming, WatchOpened(), END, Failed(failure))
    action = watch_action(streaming)
    assert (action.initial_events, action.resource_version) == (True, want)


def test_success_ends_the_wait(listing: Reflection) -> None:
    step(listing, Failed(Failure.EXPIRED), PageListed([], "20", None))
    assert watch_action(listing).delay == 0.0


def test_a_wait_that_the_server_asks_for_is_kept(watching: Reflection) -> None:
    step(watching, Failed(Failure.UNREACHABLE, retry_after=45.0))
    assert watch_action(watching).delay == 45.0
    step(watching, WatchOpened(), Failed(Failure.UNREACHABLE, retry_after=0.1))
    assert watch_action(watching).delay >= 1.6


# Reports that cannot be


@pytest.mark.parametrize("phase", ["streaming", "watching"])
def test_an_event_of_an_unknown_type_is_named(request: pytest.FixtureRequest, phase: str) -> None:
    machine: Reflection = request.getfixturevalue("streaming")
    step(machine, WatchOpened(), *([END] if phase == "watching" else []))
    with pytest.raises(UnexpectedReport, match="'RENAMED'"):
        step(machine, EventSeen("RENAMED", obj("a", 1)))


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param(WatchOpened(), id="a watch opened"),
        pytest.param(WatchEnded(), id="a watch ended"),
        pytest.param(EventSeen("ADDED", obj("a", 1)), id="an event"),
        pytest.param(END, id="a bookmark"),
    ],
)
def test_reports_that_a_listing_machine_cannot_get(listing: Reflection, wrong: Report[Manifest]) -> None:
    with pytest.raises(UnexpectedReport, match=f"{type(wrong).__name__} while Listing"):
        step(listing, wrong)


def test_a_page_while_watching_is_unexpected(watching: Reflection) -> None:
    with pytest.raises(UnexpectedReport, match="PageListed while Watching"):
        step(watching, PageListed([], "1", None))


def test_statistics(streaming: Reflection) -> None:
    step(streaming, WatchOpened(), EventSeen("ADDED", obj("a", 9)), END, EventSeen("ADDED", obj("b", 11)))
    step(streaming, Failed(Failure.OTHER), WatchOpened(), Failed(Failure.UNSUPPORTED), PageListed([], "12", None))
    found = streaming.statistics()
    assert (found.streams, found.lists, found.watches, found.events, found.failures) == (1, 1, 2, 1, 2)


def test_a_relist_that_was_asked_for_reads_from_the_quorum_at_once(listing: Reflection) -> None:
    listing.step(PageListed([], "7", None), 0.0)
    listing.step(RelistAsked(), 1.0)
    assert listing.next_action() == ListPage(0.0, None, 500, None)


def test_a_relist_that_was_asked_for_is_a_stream_where_these_work(streaming: Reflection) -> None:
    streaming.step(WatchOpened(), 0.0)
    streaming.step(END, 0.0)
    streaming.step(RelistAsked(), 1.0)
    action = streaming.next_action()
    assert isinstance(action, Watch)
    assert (action.resource_version, action.initial_events, action.delay) == (None, True, 0.0)
