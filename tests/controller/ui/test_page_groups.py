"""Share groups on the page: one partition, several models, and those that wait for a share."""

import pytest

from tests.controller.ui.conftest import Opens
from tests.controller.ui.sharing import sharing_fleet

pytestmark = [pytest.mark.needs_browser, pytest.mark.timeout(120), pytest.mark.asyncio(loop_scope="module")]

SHARED = '[data-key="worker-0|0000:01:00.0|3"]'
"""The partition that the group has."""


async def test_a_partition_that_members_share_is_in_use_and_says_whose(opened: Opens) -> None:
    found = await opened(sharing_fleet())
    page = found.page
    assert await page.locator(f"{SHARED}.use-used").count() == 1
    label = await page.locator(SHARED).get_attribute("aria-label") or ""
    assert "in use by share group tools of team-b, 2 models, 2 of 2 members ready, objectives missed" in label
    await page.locator(SHARED).click()
    rows = [text.split("\t")[:3] for text in await page.locator(".members tbody tr").all_inner_texts()]
    assert rows == [["rank-0", "Qwen3-0.6B", "10.6 GiB"], ["tag-0", "Qwen3-1.7B", "12.7 GiB"]]
    assert [text for text in await page.locator(".details button").all_inner_texts() if "gone" in text] == [
        "What if search were gone?"
    ]


async def test_a_member_without_a_share_waits_beside_the_map(opened: Opens) -> None:
    found = await opened(sharing_fleet())
    told = await found.page.locator(".waits", has_text="late").inner_text()
    assert "for a share of group tools" in told
    assert "ShareGroupFull: share group tools leaves" in told


async def test_several_models_have_a_look_of_their_own(opened: Opens) -> None:
    found = await opened(sharing_fleet())
    page = found.page
    await page.check("input[name=way][value='model']", force=True)
    await page.wait_for_selector(f"{SHARED}.m-several")
    assert "several models" in [
        text.strip() for text in await page.locator(".legend span:not(.swatch)").all_inner_texts()
    ]


@pytest.mark.parametrize("word", ["qwen3-1.7b", "tag-0", "tools", "search"])
async def test_a_group_is_found_by_its_members(opened: Opens, word: str) -> None:
    found = await opened(sharing_fleet())
    await found.page.fill("#search", f"{word} worker-0")
    await found.page.wait_for_selector(f"{SHARED}:not(.dim)")
