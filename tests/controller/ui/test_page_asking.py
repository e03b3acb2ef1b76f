"""Trying a model on the map: what can be dragged, what the form asks for, and that Clear clears it."""

from typing import TYPE_CHECKING

import pytest

from tests.controller.ui.conftest import Opens
from tests.controller.ui.fleet import FleetOnPaper, fleet, namespace_object

if TYPE_CHECKING:
    from playwright.async_api import Page

pytestmark = [pytest.mark.needs_browser, pytest.mark.timeout(120), pytest.mark.asyncio(loop_scope="module")]

TYPED = "Qwen/Qwen3-1.7B"
EXAMPLES = ["Qwen3-8B", "Llama-3.3-70B"]


def idle() -> FleetOnPaper:
    """A fleet on which nothing runs."""
    fed = fleet(2, idle=True)
    fed.put(fed.cluster.namespaces, namespace_object("default"))
    return fed


async def chips(page: "Page") -> list[str]:
    return [text.strip() for text in await page.locator(".chip").all_inner_texts()]


async def unfold(page: "Page") -> None:
    await page.locator(".whatif summary").click()


async def test_on_an_empty_fleet_there_are_models_to_try(opened: Opens) -> None:
    found = await opened(idle())
    page = found.page
    assert await chips(page) == EXAMPLES
    await page.locator(".chip").first.drag_to(page.locator('[data-key="worker-1"] .head'))
    await page.wait_for_selector('[data-key^="worker-1|"].ghost')
    assert await page.locator("#ask-model").input_value() == "Qwen/Qwen3-8B"


async def test_a_model_that_was_typed_is_dragged(opened: Opens) -> None:
    found = await opened(idle())
    page = found.page
    await page.fill("#ask-model", "Qwen/")
    assert await chips(page) == EXAMPLES, "the beginning of a name is none"
    await page.fill("#ask-model", TYPED)
    assert await chips(page) == ["Qwen3-1.7B", *EXAMPLES]
    await page.locator(".chip").first.drag_to(page.locator('[data-key="worker-0"] .head'))
    await page.wait_for_selector('[data-key^="worker-0|"].ghost')


async def test_models_that_run_come_before_those_to_try(opened: Opens) -> None:
    found = await opened(fleet(2))
    shown = await chips(found.page)
    assert len(shown) == len(set(shown))
    assert "Mistral-7B-v0.3" in shown
    assert "Llama-3.3-70B" in shown


async def test_a_mode_and_a_number_of_partitions_are_asked_for(opened: Opens) -> None:
    found = await opened(idle())
    page = found.page
    await unfold(page)
    await page.select_option("#ask-mode", "CPX/NPS4")
    await page.fill("#ask-count", "2")
    assert await page.locator(".whatif summary").inner_text() == "CPX/NPS4, 2 partitions each"
    await page.fill("#ask-model", TYPED)
    await page.press("#ask-model", "Enter")
    await page.wait_for_selector(".part.ghost")
    assert await page.locator(".part.ghost").count() == 2
    assert "CPX/NPS4" in await page.locator(".answer").inner_text()


async def test_clear_clears_what_was_asked_for(opened: Opens) -> None:
    found = await opened(idle())
    page = found.page
    await page.locator('[data-key="worker-1"]').focus()
    await page.keyboard.press("w")
    await page.fill("#ask-count", "2")
    await page.keyboard.press("Escape")
    assert await page.locator("#ask-node").input_value() == "", "the node came from the map, and goes with its marks"
    assert await page.locator("#ask-count").input_value() == "2"
    await page.get_by_role("button", name="Clear").click()
    assert await page.locator("#ask-count").input_value() == ""
    assert await page.locator(".whatif summary").inner_text() == "Precision, mode, partitions, sequences, node"
    assert await page.get_by_role("button", name="Clear").count() == 0
