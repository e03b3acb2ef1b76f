"""The page in a browser, on a cluster in memory: what a person sees, does by keyboard, hears, and asks."""

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from controller.ui.gate import TokenGate
from tests.builders.gpu import gpu
from tests.builders.plan import plan
from tests.controller.ui.conftest import Open, Opens
from tests.controller.ui.fleet import fleet
from tests.controller.ui.serving import TOKEN

if TYPE_CHECKING:
    from playwright.async_api import Page

pytestmark = [pytest.mark.needs_browser, pytest.mark.timeout(180), pytest.mark.asyncio(loop_scope="module")]

SMALL, HUGE = "Qwen/Qwen3-4B", "deepseek-ai/DeepSeek-V3"
FREE = '[data-key="worker-0|0000:01:00.0|3"]'
"""A partition of which `fleet` leaves nothing."""


async def words(page: "Page", selector: str) -> list[str]:
    return [text.strip() for text in await page.locator(selector).all_inner_texts()]


async def until(page: "Page", expression: str, seconds: float = 60) -> None:
    """Wait for it. Playwright's own way would evaluate a string in the page, which the page does not allow."""
    async with asyncio.timeout(seconds):
        while not await page.evaluate(expression):  # noqa: ASYNC110 - the page tells nobody
            await asyncio.sleep(0.02)


async def label(page: "Page", selector: str) -> str:
    return await page.locator(selector).get_attribute("aria-label") or ""


async def focused(page: "Page") -> str:
    return str(await page.evaluate("document.activeElement.dataset.key ?? document.activeElement.id"))


async def pick(page: "Page", name: str, value: str) -> None:
    await page.check(f"input[name={name}][value='{value}']", force=True)


async def held(found: Open) -> None:
    found.fed.hold("worker-0", gpu(0, "CPX/NPS4"), 3, ("fresh", "team-a", SMALL))


async def test_it_shows_the_fleet_to_the_scale_of_its_memory(opened: Opens) -> None:
    found = await opened(fleet())
    page = found.page
    assert await page.locator("[aria-level='1']").count() == 6
    assert await words(page, ".head .name") == [f"worker-{number}" for number in range(6)]
    assert await words(page, ".sign") == ["applying", "agent silent"]
    assert await page.locator("#top .figure").first.inner_text() == "GPUs\n48on 6 nodes"
    first = page.locator('[data-key="worker-0|0000:01:00.0"] .part')
    half = page.locator('[data-key="worker-1|0000:02:00.0"] .part')
    heights = [await each.first.evaluate("each => each.getBoundingClientRect().height") for each in (first, half)]
    assert (await first.count(), await half.count()) == (8, 2)
    assert heights[1] / heights[0] == pytest.approx(4, rel=0.15)


async def test_an_update_is_there_within_a_second(opened: Opens) -> None:
    found = await opened(fleet())
    assert await label(found.page, FREE) == "partition 3, 24 GiB, free"
    await held(found)
    await found.page.wait_for_selector(f"{FREE}.use-used", timeout=1000)
    assert await label(found.page, FREE) == "partition 3, 24 GiB, in use by fresh of team-a, Qwen3-4B"


async def test_what_waits_says_why_and_what_would_help(opened: Opens) -> None:
    found = await opened(fleet())
    first = found.page.locator(".waits").first
    told = await first.inner_text()
    assert "writer" in told
    assert "NoFreePartition: none of 258 partitions takes 158.9 GiB" in told
    assert "Nearest change: put worker-1 0000:06:00.0 into SPX/NPS1" in told
    await first.locator("summary").click()
    assert "220 PartitionTooSmall" in await first.locator("pre").inner_text()


async def test_a_plan_goes_on_step_by_step(opened: Opens) -> None:
    found = await opened(fleet())
    page = found.page
    running = page.locator(".plan.running")
    assert await words(page, ".plan.running .steps li > span") == ["draining", "quiescing", "applying"]
    assert await running.locator("[aria-current=step]").inner_text() != ""
    assert "aim-gpu approve plan-last-1" in await page.locator(".plan.waiting").inner_text()
    ended = plan("plan-worker-1-1", "worker-1", phase="Succeeded", numbers=(5,), applied_until="2026-01-01T00:02:00Z")
    found.fed.put(found.fed.cluster.plans, ended)
    await page.wait_for_selector(".plan.ended .phase.Succeeded", timeout=1000)
    assert await page.locator(".gpu.changing").count() == 0


async def test_colours_tell_use_model_health_and_objectives(opened: Opens) -> None:
    found = await opened(fleet())
    page = found.page
    assert await words(page, ".legend span:not(.swatch)") == [
        "in use",
        "starting",
        "unhealthy",
        "in quarantine",
        "free",
    ]
    await pick(page, "way", "model")
    short = {"Qwen3-8B", "Qwen3-14B", "Qwen3-4B", "Llama-3.1-8B", "Mistral-7B-v0.3", "Llama-3.3-70B", "Qwen3-32B"}
    assert set(await words(page, ".legend span:not(.swatch)")) == {*short, "unhealthy", "in quarantine", "free"}
    await pick(page, "way", "health")
    assert await words(page, ".legend span:not(.swatch)") == ["healthy", "unhealthy", "in quarantine"]
    await pick(page, "way", "objectives")
    assert {"objectives kept", "budget burning", "objectives missed"} <= set(
        await words(page, ".legend span:not(.swatch)")
    )
    await page.wait_for_selector(".part.slo-missed")
    await page.locator(".legend button", has_text="objectives missed").click()
    await until(page, "[...document.querySelectorAll('.part:not(.dim)')].every(e => e.matches('.slo-missed'))")


async def test_a_search_leaves_what_is_called_so(opened: Opens) -> None:
    found = await opened(fleet())
    page = found.page
    await page.locator('[data-key="worker-0"]').focus()
    await page.keyboard.press("/")
    await page.keyboard.type("team-c quarantined")
    assert await page.locator("#empty").inner_text() == "Nothing here is called so."
    await page.fill("#search", "mistral worker-2")
    await until(page, "document.querySelectorAll('.card').length === 1")
    assert await page.locator(".matches").inner_text() == "1 node of 6"
    await page.wait_for_selector(".part.dim")
    bright = await page.locator(".part:not(.dim)").evaluate_all("all => all.map(each => each.ariaLabel)")
    assert bright
    assert all("Mistral" in each for each in bright)
    await page.keyboard.press("Escape")
    await until(page, "document.querySelectorAll('.card').length === 6")


async def test_the_map_is_walked_by_keyboard(opened: Opens) -> None:
    found = await opened(fleet())
    page = found.page
    await page.keyboard.press("Tab")
    assert await page.evaluate("document.activeElement.className") == "skip"
    await page.keyboard.press("Enter")
    await page.keyboard.press("Tab")
    walk = {
        "ArrowDown": "worker-1",
        "ArrowRight": "worker-1|0000:01:00.0",
        "End": "worker-5|0000:08:00.0",
        "ArrowUp": "worker-5|0000:07:00.0",
        "ArrowLeft": "worker-5",
        "Home": "worker-0",
    }
    assert await focused(page) == "worker-0"
    for key, want in walk.items():
        await page.keyboard.press(key)
        assert await focused(page) == want, key
    for key in ("ArrowRight", "ArrowRight", "ArrowDown"):
        await page.keyboard.press(key)
    assert await focused(page) == "worker-0|0000:01:00.0|1"
    assert await page.locator("#map [tabindex='0']").count() == 1
    await page.keyboard.press("Enter")
    assert await focused(page) == "details-title"
    told = await page.locator(".details").inner_text()
    assert ("Qwen/Qwen3-8B" in told, "Objectives of chat: kept" in told) == (True, True)
    await page.keyboard.press("Escape")
    assert await focused(page) == "worker-0|0000:01:00.0|1"
    assert await page.locator(".details").count() == 0


async def test_focus_stays_where_it_is_while_the_map_changes(opened: Opens) -> None:
    found = await opened(fleet())
    page = found.page
    await page.locator(FREE).click()
    await page.locator(FREE).focus()
    await held(found)
    await page.wait_for_selector(f"{FREE}.use-used")
    assert await focused(page) == "worker-0|0000:01:00.0|3"
    assert "fresh" in await page.locator(".details").inner_text()


async def ask(page: "Page", model: str) -> str:
    await page.fill("#ask-model", model)
    await page.press("#ask-model", "Enter")
    return await page.locator(".verdict").inner_text()


async def test_a_model_on_the_map_shows_where_it_would_go(opened: Opens) -> None:
    found = await opened(fleet())
    page = found.page
    assert await ask(page, SMALL) == "It fits"
    await page.wait_for_selector(".part.ghost")
    assert "1 pod to place" in await page.locator(".answer").inner_text()
    await page.get_by_text("Show on the map").click()
    assert await page.locator(".part.ghost.chosen").count() == 1
    await page.keyboard.press("Escape")
    await page.keyboard.press("Escape")
    await until(page, "document.querySelectorAll('.ghost, .answer').length === 0")


async def test_a_model_that_fits_nowhere_says_why(opened: Opens) -> None:
    found = await opened(fleet())
    assert await ask(found.page, HUGE) == "It would wait"
    assert "1 pod would wait" in await found.page.locator(".answer").inner_text()
    await found.page.fill("#ask-model", "nobody/knows")
    await found.page.press("#ask-model", "Enter")
    await found.page.wait_for_selector(".answer, .problem")


async def test_a_node_is_asked_about_by_keyboard(opened: Opens) -> None:
    found = await opened(fleet())
    page = found.page
    await page.locator('[data-key="worker-2"]').focus()
    await page.keyboard.press("w")
    assert await focused(page) == "ask-model"
    await page.keyboard.type(SMALL)
    await page.keyboard.press("Enter")
    await page.wait_for_selector('[data-key^="worker-2|"].ghost')
    assert await page.locator(".card.aimed").count() == 1


async def test_a_model_is_dropped_on_a_node(opened: Opens) -> None:
    found = await opened(fleet())
    page = found.page
    await page.locator(".chip", has_text="Qwen3-4B").drag_to(page.locator('[data-key="worker-4"] .head'))
    await page.wait_for_selector('[data-key^="worker-4|"].ghost')
    assert await page.locator(".card.aimed").count() == 1
    assert await page.locator("#ask-model").input_value() == SMALL


async def test_a_service_that_were_gone_is_asked_about(opened: Opens) -> None:
    found = await opened(fleet())
    page = found.page
    await page.locator('[data-key="worker-0|0000:01:00.0|1"]').click()
    await page.get_by_text("What if chat were gone?").click()
    assert await page.locator(".verdict").inner_text() == "It would be gone"


async def seriously_wrong(page: "Page") -> list[Any]:
    """What axe finds serious or critical, with the first place of each."""
    from axe_playwright_python.async_playwright import Axe

    result = await Axe().run(page)
    return [
        (each["id"], each["nodes"][0]["html"][:200], each["nodes"][0]["failureSummary"][:300])
        for each in result.response["violations"]
        if each["impact"] in ("serious", "critical")
    ]


ALL_WAYS = ("use", "model", "health", "objectives")


@pytest.mark.parametrize(
    ("scheme", "width", "ways"),
    [("light", 1440, ALL_WAYS), ("dark", 1440, ALL_WAYS), ("dark", 600, ("use",))],
    ids=["light", "dark", "narrow"],
)
async def test_axe_finds_nothing_serious(opened: Opens, scheme: str, width: int, ways: tuple[str, ...]) -> None:
    found = await opened(fleet(3), color_scheme=scheme, viewport={"width": width, "height": 900}, bypass_csp=True)
    page = found.page
    await page.locator('[data-key="worker-0|0000:01:00.0|1"]').click()
    await ask(page, SMALL)
    problems = []
    for way in ways:
        await pick(page, "way", way)
        await page.wait_for_timeout(100)
        problems += [(way, *each) for each in await seriously_wrong(page)]
    assert problems == []


async def test_axe_would_find_what_is_wrong(opened: Opens) -> None:
    found = await opened(fleet(1), bypass_csp=True)
    await found.page.evaluate("document.querySelector('.part').removeAttribute('aria-label')")
    await found.page.evaluate("document.querySelector('h1').style.color = '#cccccc'")
    names = {each[0] for each in await seriously_wrong(found.page)}
    assert {"aria-treeitem-name", "color-contrast"} & names == {"aria-treeitem-name", "color-contrast"}


async def test_motion_is_left_out_for_who_asks_for_that(opened: Opens) -> None:
    found = await opened(fleet(), reduced_motion="reduce")
    await ask(found.page, SMALL)
    await found.page.wait_for_selector(".part.ghost")
    assert await found.page.evaluate("document.getAnimations().length") == 0


async def test_the_theme_is_the_systems_until_somebody_chooses(opened: Opens) -> None:
    found = await opened(fleet(), color_scheme="dark")
    page = found.page
    ground = "getComputedStyle(document.body).backgroundColor"
    dark = await page.evaluate(ground)
    await page.select_option("#theme", "light")
    light = await page.evaluate(ground)
    assert dark != light
    await page.reload()
    await page.wait_for_selector(".part")
    assert await page.evaluate(ground) == light


async def test_a_listener_is_told_of_changes_in_sums(opened: Opens) -> None:
    found = await opened(fleet())
    await held(found)
    await until(found.page, "document.getElementById('live').textContent.includes('192 of 258')", 8)
    assert "2 claims waiting, 1 plan under way" in await found.page.locator("#live").inner_text()


async def test_the_token_is_out_of_the_address_and_stays_with_the_tab(opened: Opens) -> None:
    found = await opened(fleet())
    assert found.page.url == found.site.url
    await found.page.reload()
    await found.page.wait_for_selector(".part")
    assert await found.page.locator(".link.live").inner_text() == "Live"


async def test_a_page_that_lost_the_server_comes_again(opened: Opens) -> None:
    found = await opened(fleet(1))
    page = found.page
    await page.route("**/api/events", lambda route: route.abort())
    await page.reload()
    await page.wait_for_selector(".link.waiting")
    assert (await page.locator(".link.waiting").inner_text()).startswith("No connection; next try in ")
    await page.unroute("**/api/events")
    await page.wait_for_selector(".link.live", timeout=5000)
    assert await page.locator(".part").count() > 0
    assert found.said
    assert all("net::ERR_FAILED" in each for each in found.said)
    found.said.clear()


async def test_a_token_that_is_not_taken_any_more_takes_what_was_seen_along(opened: Opens) -> None:
    found = await opened(fleet(1))
    page = found.page
    found.site.server._gate = TokenGate("another")
    await page.wait_for_selector("#token", timeout=10_000)
    assert (await page.locator(".part").count(), await page.locator(".waits").count()) == (0, 0)
    assert all("401" in each for each in found.said)
    found.said.clear()


async def test_a_token_that_is_not_ours_is_told(opened: Opens) -> None:
    found = await opened(fleet(1))
    page = found.page
    await page.evaluate("sessionStorage.setItem('aim-gpu-ui-token', 'old')")
    await page.reload()
    await page.wait_for_selector(".link.refused")
    assert "open the URL that aim-gpu ui printed last" in await page.locator(".link.refused").inner_text()
    await page.fill("#token", TOKEN)
    await page.press("#token", "Enter")
    await page.wait_for_selector(".part")
    await page.wait_for_selector(".link.live")
    assert await page.locator("#token").count() == 0
    assert TOKEN not in page.url
    assert await page.locator("#models option").count() > 0
    assert all("401" in each for each in found.said)
    found.said.clear()


async def test_the_keys_are_named_in_a_dialog(opened: Opens) -> None:
    found = await opened(fleet())
    await found.page.locator('[data-key="worker-0"]').focus()
    await found.page.keyboard.press("?")
    assert await found.page.locator("dialog[open] kbd").count() == 9
    await found.page.get_by_role("button", name="Close").click()
    assert await found.page.locator("dialog[open]").count() == 0


async def test_keys_of_one_character_are_the_maps_alone(opened: Opens) -> None:
    found = await opened(fleet(1))
    page = found.page
    for key in ("/", "?", "w"):
        await page.keyboard.press(key)
        await page.locator("#theme").press(key)
    assert (await focused(page), await page.locator("dialog[open]").count()) == ("theme", 0)
    await page.locator('[data-key="worker-0"]').focus()
    await page.keyboard.press("Control+/")
    assert await focused(page) == "worker-0"
    await page.keyboard.press("/")
    assert await focused(page) == "search"
