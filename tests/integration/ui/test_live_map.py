"""`aim-gpu ui` as it is installed, on a running operator's cluster, in a browser."""

import asyncio
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from e2e.plane import Plane
from tests.controller.ui.test_page import focused, seriously_wrong
from tests.integration.cli.test_plan_verbs import of_somebody
from tests.integration.operator.running import SMALL, Object, Running, opt_in, pod, running

if TYPE_CHECKING:
    from playwright.async_api import Browser, Page

pytestmark = [pytest.mark.plane, pytest.mark.timeout(240), pytest.mark.asyncio(loop_scope="module")]

AIM_GPU = Path(sys.executable).with_name("aim-gpu")
LARGE = "meta-llama/Llama-3.1-405B-Instruct"


def command(kubeconfig: Path) -> list[str]:
    return [str(AIM_GPU), "ui", "--no-browser", "--kubeconfig", str(kubeconfig)]


@asynccontextmanager
async def map_of(kubeconfig: Path) -> AsyncIterator[str]:
    """The URL that the command prints; Ctrl-C ends it."""
    process = await asyncio.create_subprocess_exec(*command(kubeconfig), stderr=asyncio.subprocess.PIPE)
    assert process.stderr is not None
    try:
        async with asyncio.timeout(60):
            line = (await process.stderr.readline()).decode()
        assert line.startswith("the map is at http://127.0.0.1:"), line
        yield line.removeprefix("the map is at ").strip()
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGINT)
        async with asyncio.timeout(15):
            await process.communicate()
    assert process.returncode == 0


async def allocated(cluster: Running, name: str) -> Object:
    async def found() -> Object | None:
        claims = [each for each in await cluster.claims() if each["spec"]["podRef"]["name"] == name]
        return next((each for each in claims if each.get("status", {}).get("phase") == "Allocated"), None)

    claim: Object = await cluster.eventually(f"pod {name} has a partition", found)
    return claim


async def explained(cluster: Running) -> Object:
    async def found() -> Object | None:
        claims = await cluster.claims()
        return next(
            (each for each in claims if "Nearest change" in each.get("status", {}).get("explanation", "")), None
        )

    claim: Object = await cluster.eventually("the claim that waits says why", found)
    return claim


def key(claim: Object) -> str:
    """Of the partition that a claim has, as the map names it."""
    allocation = claim["status"]["allocation"]
    (device,) = allocation["devices"]
    return f"{allocation['node']}|{device['bdf']}|{device['partition']}"


async def shown(page: "Page", selector: str, seconds: float = 1.0) -> float:
    """Wait until it is on the page; seconds that took."""
    began = time.monotonic()
    await page.wait_for_selector(selector, timeout=seconds * 1000)
    return time.monotonic() - began


async def walked(page: "Page", node: str) -> None:
    """From the top of the page into a partition's details and back, by keys alone."""
    for key in ("Tab", "Enter", "Tab"):
        await page.keyboard.press(key)
    assert await focused(page) == node
    places = []
    for _ in ("a GPU", "a partition"):
        await page.keyboard.press("ArrowRight")
        places.append(await focused(page))
    assert [place.count("|") for place in places] == [1, 2]
    assert all(place.startswith(f"{node}|") for place in places)
    await page.keyboard.press("Enter")
    assert await focused(page) == "details-title"
    assert node in await page.locator(".details").inner_text()
    await page.keyboard.press("Escape")
    assert await focused(page) == places[-1]
    await page.keyboard.press("w")
    assert (await focused(page), await page.locator("#ask-node").input_value()) == ("ask-model", node)
    await page.keyboard.press("Escape")


async def faultless(browser: "Browser", url: str, place: str) -> None:
    """What axe says of the page with everything open, in light and in dark."""
    for scheme in ("light", "dark"):
        # axe is a script of somebody else, which the page itself allows nobody
        page = await browser.new_page(bypass_csp=True, color_scheme=scheme)
        await page.goto(url)
        await page.locator(f'[data-key="{place}"]').click()
        await page.fill("#ask-model", SMALL)
        await page.press("#ask-model", "Enter")
        await page.wait_for_selector(".part.ghost")
        assert await seriously_wrong(page) == [], scheme
        await page.close()


@pytest.mark.needs_browser
async def test_a_running_cluster_is_on_the_map(plane: Plane, browser: "Browser", tmp_path: Path) -> None:
    async with (
        running(plane, tmp_path, {"a": "CPX/NPS4", "b": "SPX/NPS1"}, gpus=2) as cluster,
        map_of(plane.kubeconfig) as url,
    ):
        page, said = await browser.new_page(), list[str]()
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on(
            "request", lambda asked: said.extend([] if asked.url.startswith(url.partition("#")[0]) else [asked.url])
        )
        await page.goto(url)
        node = cluster.names["a"]
        await page.wait_for_selector(f'[data-key^="{node}|"].part')
        assert await page.locator(f'[data-key^="{node}|"].part').count() == 16
        assert "SPX/NPS1" in (
            await page.locator(f'[data-key^="{cluster.names["b"]}|"].gpu').first.get_attribute("aria-label") or ""
        )

        await walked(page, node)
        await cluster.create(cluster.pods_path, pod("small", opt_in()))
        place = key(await allocated(cluster, "small"))
        took = await shown(page, f'[data-key="{place}"][aria-label*="{cluster.namespace}"]')
        print(f"\non the map {took:.2f} s after the API server said so")

        await cluster.create(cluster.pods_path, pod("large", opt_in(LARGE)))
        written = (await explained(cluster))["status"]["explanation"].splitlines()
        why = page.locator(".waits", has_text="large").locator(".why", has_text=written[0])
        await why.wait_for(timeout=5000)

        await faultless(browser, url, place)

        await page.fill("#ask-model", SMALL)
        await page.press("#ask-model", "Enter")
        assert await page.locator(".verdict").inner_text() == "It fits"
        (expected,) = await page.locator(".part.ghost").evaluate_all("all => all.map(each => each.dataset.key)")
        await cluster.create(cluster.pods_path, pod("next", opt_in()))
        assert key(await allocated(cluster, "next")) == expected

        await cluster.delete(f"{cluster.pods_path}/small")
        await shown(page, f'[data-key="{place}"].use-free', 30)
        assert said == []
        await page.close()


async def test_who_may_not_list_the_cluster_is_told_what_is_missing(plane: Plane, tmp_path: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        *command(of_somebody(plane.kubeconfig, tmp_path)), stderr=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(60):
        _, told = await process.communicate()
    assert process.returncode == 1
    assert b"cannot show the map: the right to list " in told
    assert b"gpupartitionclaims.aim.amd.com" in told
