"""What a person sees of a page that cannot go on: the server's own words, when it comes again, and that it stopped."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from tests.controller.ui.conftest import Open, Opens
from tests.controller.ui.fleet import fleet

if TYPE_CHECKING:
    from playwright.async_api import Page, Route

pytestmark = [pytest.mark.needs_browser, pytest.mark.timeout(120), pytest.mark.asyncio(loop_scope="module")]

EVENTS = "**/api/events"
SOON = 5000
"""Milliseconds within which a page comes again that was not told to wait."""

Answer = Callable[["Route"], Awaitable[None]]


def answering(status: int, text: str, kind: str = "text/plain; charset=utf-8", **headers: str) -> Answer:
    """A server that says this instead of events; underscores stand for dashes."""
    told = {name.replace("_", "-"): value for name, value in headers.items()} | {"Content-Type": kind}
    return lambda route: route.fulfill(status=status, body=text, headers=told)


def telling(event: str, data: Any) -> Answer:
    """One event, and the end of the stream."""
    text = f"event: {event}\nid: 1\ndata: {orjson.dumps(data).decode()}\n\n"
    return answering(200, text, "text/event-stream")


async def met(opens: Opens, answer: Answer) -> Open:
    """A page that was open and comes again, to a server that answers so."""
    found = await opens(fleet(1))
    await found.page.route(EVENTS, answer)
    await found.page.reload()
    return found


async def told(page: "Page", state: str) -> str:
    await page.wait_for_selector(f".link.{state}", timeout=SOON)
    return await page.locator(f".link.{state}").inner_text()


async def forgive(found: Open, *words: str) -> None:
    """The browser says itself that an answer was none; nothing else was said, and the page says nothing any more."""
    await found.page.close()
    assert all(any(word in each for word in words) for each in found.said), found.said
    found.said.clear()


@pytest.mark.parametrize(
    ("answer", "want"),
    [
        pytest.param(
            answering(429, "8 pages of yours are open, which is as many as are served; close one\n", Retry_After="10"),
            "8 pages of yours are open, which is as many as are served; close one; next try in 10 s",
            id="too many pages",
        ),
        pytest.param(
            answering(503, "the API server did not say what may be seen; it is tried again\n", Retry_After="2"),
            "The API server did not say what may be seen; it is tried again; next try in 2 s",
            id="no word of rights",
        ),
        pytest.param(
            answering(503, "wait\n", Retry_After="86400"),
            "Wait; next try in 300 s",
            id="a day is more than a page waits",
        ),
        pytest.param(
            answering(502, "<html><h1>nginx</h1></html>", "text/html"),
            "The server answered 502 Bad Gateway; next try in 1 s",
            id="the page of a proxy is no sentence",
        ),
        pytest.param(
            answering(200, "event: state\ndata: {oops\n\n", "text/event-stream"),
            "What came is not what this server tells; next try in 1 s",
            id="what is no map",
        ),
    ],
)
async def test_the_server_says_why_there_is_no_map(opened: Opens, answer: Answer, want: str) -> None:
    found = await met(opened, answer)
    assert await told(found.page, "waiting") == want
    assert await found.page.locator("#token").count() == 0
    shown = await found.page.locator(".figure, #side .panel").count()
    assert shown == 0, "of what nobody told it says nothing, not that there is none"
    await forgive(found, "429", "502", "503")


async def test_a_page_comes_no_sooner_than_it_was_told(opened: Opens) -> None:
    times: list[float] = []

    async def busy(route: "Route") -> None:
        times.append(asyncio.get_running_loop().time())
        await answering(429, "close one", Retry_After="2")(route)

    found = await met(opened, busy)
    async with asyncio.timeout(20):
        while len(times) < 2:  # noqa: ASYNC110 - the page tells nobody
            await asyncio.sleep(0.05)
    assert times[1] - times[0] >= 2
    await forgive(found, "429")


async def test_a_page_that_was_told_to_wait_goes_on_when_it_is_served(opened: Opens) -> None:
    found = await met(opened, answering(503, "close one", Retry_After="1"))
    await told(found.page, "waiting")
    await found.page.unroute(EVENTS)
    assert await told(found.page, "live") == "Live"
    assert await found.page.locator(".part").count() > 0
    await forgive(found, "503")


async def test_a_server_of_another_format_asks_for_another_page(opened: Opens) -> None:
    found = await met(opened, telling("state", {"format": 2, "version": 1, "state": {}}))
    page = found.page
    assert await told(page, "stopped") == "The server tells the map in format 2, and this page knows 1; load it anew"
    assert await page.locator("#live").inner_text() == await told(page, "stopped")
    await page.unroute(EVENTS)
    await page.get_by_role("button", name="Load anew").click()
    await told(page, "live")
    await page.wait_for_selector(".part")


async def test_what_cannot_be_drawn_is_told_and_does_not_look_live(opened: Opens) -> None:
    broken = {"format": 1, "version": 1, "state": {"nodes": {"worker-0": {"name": "worker-0"}}}}
    found = await met(opened, telling("state", broken))
    assert (await told(found.page, "stopped")).startswith("This page cannot show what the server told (")
    assert await found.page.get_by_role("button", name="Load anew").count() == 1
    assert found.said, "whoever mends it finds the error in the console"
    found.said.clear()


async def test_a_card_that_cannot_be_drawn_later_is_told_too(opened: Opens) -> None:
    found = await opened(fleet(1))
    await found.page.evaluate("setTimeout(() => { throw new Error('no such look') })")
    assert await told(found.page, "stopped") == "This page failed (no such look); load it anew"
    await forgive(found, "no such look")


async def test_a_change_that_does_not_follow_is_asked_for_anew(opened: Opens) -> None:
    found = await met(opened, telling("change", {"version": 9, "since": 8, "change": {}}))
    assert (await told(found.page, "waiting")).startswith("Change since 8 does not follow -1; next try in 1 s")
    await found.page.unroute(EVENTS)
    await told(found.page, "live")
