"""The picture of a hundred nodes in docs: ``python -m tests.controller.ui.pictures`` draws it anew, of a cluster in memory.

Those of a running fleet are drawn by ``python -m tests.integration.ui.pictures``.
"""

import asyncio
import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from e2e.browser import ensure_browser
from e2e.plane import Progress
from tests.controller.ui.fleet import fleet
from tests.controller.ui.serving import served

if TYPE_CHECKING:
    from playwright.async_api import Browser, Page

IMAGES: Final = Path(__file__).parents[3] / "docs" / "images"
NOW: Final = "2026-01-01T00:03:20Z"
"""A little after what `fleet` says that happened."""
_SETTLED_MS: Final = 1500


async def page_of(browser: "Browser", url: str, scheme: str, height: int) -> "Page":
    """The map, opened as it was at `NOW`."""
    page = await browser.new_page(viewport={"width": 1440, "height": height}, color_scheme=scheme)  # type: ignore[arg-type]
    await page.clock.set_fixed_time(NOW)
    await page.goto(url)
    await page.wait_for_selector(".part")
    return page


async def large(browser: "Browser") -> None:
    """A hundred nodes of 64 partitions on one screen."""
    async with served(fleet(100, full=True)) as site:
        page = await page_of(browser, site.opened, "light", 1000)
        await page.check("input[name=zoom][value='0']", force=True)
        await page.check("input[name=way][value=model]", force=True)
        await page.wait_for_timeout(4 * _SETTLED_MS)
        await page.screenshot(path=IMAGES / "map-fleet.png")


async def main() -> None:
    """Draw it."""
    from playwright.async_api import async_playwright

    found = ensure_browser(Progress())
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=found.program,
            args=["--no-sandbox", "--disable-gpu"],
            env={**os.environ, **found.environment},
        )
        await large(browser)
        await browser.close()


if __name__ == "__main__":
    asyncio.run(main())
