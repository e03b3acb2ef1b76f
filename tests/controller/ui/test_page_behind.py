"""A page whose server lost the API server says of when it is, to those who see and to those who hear."""

import asyncio
from typing import TYPE_CHECKING

import pytest

from tests.controller.ui.conftest import Opens
from tests.controller.ui.fleet import fleet

if TYPE_CHECKING:
    from playwright.async_api import Page

pytestmark = [pytest.mark.needs_browser, pytest.mark.timeout(180), pytest.mark.asyncio(loop_scope="module")]

NOON = "2026-01-01T12:00:05Z"
LATER = "2026-01-01T12:07:00Z"
IN_BERLIN = {"timezone_id": "Europe/Berlin", "locale": "de-DE"}


async def told(page: "Page", kind: str) -> str:
    await page.wait_for_selector(f"span.link.{kind}", timeout=10_000)
    return await page.locator("span.link").inner_text()


async def heard(page: "Page", words: str) -> None:
    async with asyncio.timeout(10):
        while words not in await page.locator("#live").inner_text():  # noqa: ASYNC110 - the page tells nobody
            await asyncio.sleep(0.02)


async def test_a_silent_api_server_is_told_with_the_time_of_what_is_shown(opened: Opens) -> None:
    found = await opened(fleet(), **IN_BERLIN)
    assert await told(found.page, "live") == "Live"
    found.site.behind["all"] = {"since": NOON}
    found.site.feed.changed()
    want = "The API server is silent since 1.1.2026, 13:00:05: what is shown is of then"
    assert await told(found.page, "behind") == want
    await heard(found.page, want)
    assert await found.page.locator(".part").count() > 0, "what was known stays"
    found.site.behind.clear()
    found.site.feed.changed()
    assert await told(found.page, "live") == "Live"
    await heard(found.page, "The map is of now again")


async def test_kinds_that_are_not_followed_are_named_with_the_oldest_of_them(opened: Opens) -> None:
    found = await opened(fleet(), **IN_BERLIN)
    found.site.behind.update({"pods": {"since": LATER}, "leases": {"since": NOON}})
    found.site.feed.changed()
    assert (
        await told(found.page, "behind") == "No news of pods, leases since 1.1.2026, 13:00:05: what is shown is of then"
    )


async def test_a_page_that_is_opened_while_the_api_server_is_silent_says_so(opened: Opens) -> None:
    found = await opened(fleet(), **IN_BERLIN)
    found.site.behind["all"] = {"since": NOON}
    await found.page.reload()
    assert "silent since" in await told(found.page, "behind")
