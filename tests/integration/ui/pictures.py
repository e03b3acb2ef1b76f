"""The pictures of a running fleet in docs: ``python -m tests.integration.ui.pictures`` draws them anew.

It starts a local control plane with the operator and simulated GPUs, and looks at them by `aim-gpu ui` as it is
installed. The picture of a hundred nodes is drawn by ``python -m tests.controller.ui.pictures``.
"""

import asyncio
import os
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final, Literal

from e2e.browser import ensure_browser
from e2e.plane import Progress
from tests.integration.ui.scene import scene
from tests.integration.ui.test_live_map import map_of

if TYPE_CHECKING:
    from playwright.async_api import Browser, Page

IMAGES: Final = Path(__file__).parents[3] / "docs" / "images"
ASKED: Final = "Qwen/Qwen3-32B"
_SETTLED_MS: Final = 1500


async def page_of(browser: "Browser", url: str, scheme: Literal["light", "dark"]) -> "Page":
    """The map as it is now."""
    page = await browser.new_page(viewport={"width": 1440, "height": 900}, color_scheme=scheme)
    await page.goto(url)
    await page.wait_for_selector(".part.use-used")
    return page


async def draw(browser: "Browser", url: str) -> None:
    """By use, with the details of a partition that several models share; and in the dark by model, with a what-if."""
    page = await page_of(browser, url, "light")
    await page.locator('.part[aria-label*="share group"]').first.click()
    await page.wait_for_timeout(_SETTLED_MS)
    await page.screenshot(path=IMAGES / "map.png")
    page = await page_of(browser, url, "dark")
    await page.check("input[name=way][value=model]", force=True)
    await page.select_option("#ask-namespace", "team-chat")
    await page.fill("#ask-model", ASKED)
    await page.press("#ask-model", "Enter")
    await page.wait_for_selector(".part.ghost")
    await page.get_by_text("See the plan").focus()
    await page.wait_for_timeout(4000)  # until the marks stand still
    await page.screenshot(path=IMAGES / "map-what-if.png")


async def main() -> None:
    """Draw both."""
    from playwright.async_api import async_playwright

    found = ensure_browser(Progress())
    with TemporaryDirectory(prefix="map-pictures-") as folder:
        async with scene(Path(folder)) as here, map_of(here.plane.kubeconfig) as url, async_playwright() as playwright:
            browser = await playwright.chromium.launch(
                executable_path=found.program,
                args=["--no-sandbox", "--disable-gpu"],
                env={**os.environ, **found.environment},
            )
            await draw(browser, url)
            await browser.close()


if __name__ == "__main__":
    asyncio.run(main())
