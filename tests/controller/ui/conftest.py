"""A page that is open in a browser, and what it said that it should not have said."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest_asyncio

from controller.ui.gate import Gate
from tests.controller.ui.fleet import FleetOnPaper
from tests.controller.ui.serving import Served, served

if TYPE_CHECKING:
    from playwright.async_api import Browser, Page


@dataclass(frozen=True)
class Open:
    """A page, the map that it shows, and what it said that it should not have said."""

    page: "Page"
    site: Served
    said: list[str]

    @property
    def fed(self) -> FleetOnPaper:
        return self.site.fed


Opens = Callable[..., Awaitable[Open]]


@pytest_asyncio.fixture(loop_scope="module")
async def opened(browser: "Browser") -> AsyncIterator[Opens]:
    """Opens the map of a cluster; `options` are the browser's. Whatever a page logs or asks elsewhere is a failure.

    `gate`: who is let in, and sees what; `shows`: what is there once the map is.
    """
    said: list[str] = []
    async with AsyncExitStack() as stack:

        async def open_map(fed: FleetOnPaper, gate: Gate | None = None, shows: str = ".part", **options: Any) -> Open:
            site = await stack.enter_async_context(served(fed, gate))
            context = await browser.new_context(**{"viewport": {"width": 1440, "height": 900}} | options)
            stack.push_async_callback(context.close)
            page = await context.new_page()
            page.on("console", lambda message: said.append(f"{message.type}: {message.text}"))
            page.on("pageerror", lambda error: said.append(f"error: {error}"))
            page.on("request", lambda asked: said.extend([] if asked.url.startswith(site.url) else [asked.url]))
            await page.goto(site.opened)
            await page.wait_for_selector(shows)
            return Open(page, site, said)

        yield open_map
    assert said == []
