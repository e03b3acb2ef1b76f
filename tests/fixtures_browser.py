"""pytest plugin: a browser, for tests marked `needs_browser`: the distribution's Chromium, driven by Playwright."""

import os
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Final

import pytest
import pytest_asyncio

from e2e.browser import ensure_browser
from tests.from_packages import had

if TYPE_CHECKING:
    from playwright.async_api import Browser

_FLAGS: Final = ("--no-sandbox", "--disable-gpu")  # as root there is no sandbox; the pages are our own


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser(pytestconfig: pytest.Config) -> "AsyncIterator[Browser]":
    """A browser without a window, for the tests of a module; they share its event loop: `asyncio(loop_scope="module")`."""
    found = had(ensure_browser, "needs_browser", pytestconfig)
    from playwright.async_api import async_playwright

    async with async_playwright() as playwright:
        started = await playwright.chromium.launch(
            executable_path=found.program, args=list(_FLAGS), env={**os.environ, **found.environment}
        )
        try:
            yield started
        finally:
            await started.close()
