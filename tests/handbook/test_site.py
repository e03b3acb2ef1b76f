"""The site as `make docs` builds it: without a warning, and asking nobody else for anything."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from html.parser import HTMLParser
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from handbook.borrowed import ROOT, borrowed

if TYPE_CHECKING:
    from playwright.async_api import Browser

pytestmark = pytest.mark.timeout(300)

FETCHED = {
    "script": "src",
    "img": "src",
    "iframe": "src",
    "source": "src",
    "video": "src",
    "audio": "src",
    "embed": "src",
    "object": "data",
    "use": "href",
}
"""Elements that fetch what an attribute names; of links see `Fetching`."""
FETCHING = {"stylesheet", "preload", "prefetch", "preconnect", "dns-prefetch", "modulepreload", "icon", "manifest"}


class Fetching(HTMLParser):
    """What a page fetches as it is shown, and its policy."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.policy = ""
        self.without_alt: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "link" and set((given.get("rel") or "").split()) & FETCHING:
            self.found.append(given.get("href") or "")
        if tag == "meta" and (given.get("http-equiv") or "").lower() == "content-security-policy":
            self.policy = given.get("content") or ""
        if (name := FETCHED.get(tag)) and (address := given.get(name)):
            self.found.append(address)
        if tag == "img" and not given.get("alt"):
            self.without_alt.append(given.get("src") or "")


def fetching(page: Path) -> Fetching:
    parser = Fetching()
    parser.feed(page.read_text(encoding="utf-8"))
    return parser


def build(folder: Path, config: Path = ROOT / "mkdocs.yml") -> subprocess.CompletedProcess[str]:
    command = [
        sys.executable,
        "-m",
        "mkdocs",
        "build",
        "--strict",
        "--config-file",
        str(config),
        "--site-dir",
        str(folder),
    ]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}  # what its makers announce is no matter of a build
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=240, check=False)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    done = build(folder)
    assert done.returncode == 0, done.stderr[-4000:]
    assert "WARNING" not in done.stderr
    return folder


def pages(site: Path) -> list[Path]:
    return sorted(page for page in site.rglob("*.html") if page.name != "404.html")


def test_every_page_of_the_repository_is_there(site: Path) -> None:
    wanted = {str(page.relative_to(ROOT / "docs")) for page in (ROOT / "docs").rglob("*.md")} | set(borrowed().values())
    built = {str(page.relative_to(site)) for page in pages(site)}
    assert {re.sub(r"README\.md$", "index.md", name).removesuffix(".md") + ".html" for name in wanted} == built


def test_no_page_fetches_anything_from_elsewhere(site: Path) -> None:
    for page in pages(site):
        parser = fetching(page)
        assert parser.found, page
        outside = [
            address
            for address in parser.found
            if urlsplit(address).netloc or urlsplit(address).scheme not in {"", "data"}
        ]
        assert outside == [], page
        assert "default-src 'none'" in parser.policy
        assert "http" not in parser.policy
        assert parser.without_alt == [], page


def test_no_stylesheet_does(site: Path) -> None:
    sheets = list(site.rglob("*.css"))
    assert sheets
    for sheet in sheets:
        assert re.findall(r"(?:url\(|@import)\s*['\"]?(?:https?:)?//[^)]*", sheet.read_text(encoding="utf-8")) == [], (
            sheet
        )


def test_a_page_that_fetches_would_be_noticed(tmp_path: Path) -> None:
    page = tmp_path / "a.html"
    page.write_text(
        '<link rel="preconnect" href="https://a.example"><script src="//b.example/c.js"></script><a href="https://d.example">d</a>'
    )
    assert fetching(page).found == ["https://a.example", "//b.example/c.js"]


def test_code_in_a_list_is_code_of_the_list(site: Path) -> None:
    page = (site / "runbooks/AimClaimsWait.html").read_text(encoding="utf-8")
    item = re.search(r"<li>(?:(?!</li>).)*The claim says why(?:(?!</li>).)*", page, re.DOTALL)
    assert item is not None
    assert "<code" in item[0]
    assert "kubectl" in item[0]


def test_the_diagram_in_text_is_a_picture(site: Path) -> None:
    page = (site / "repartitioning.html").read_text(encoding="utf-8")
    assert 'src="images/phases.svg"' in page
    assert "stateDiagram" not in page


class Silent(SimpleHTTPRequestHandler):
    """Serves files and says nothing."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Nothing."""


@pytest.fixture(scope="module")
def address(site: Path) -> Iterator[str]:
    """Where the site is served."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Silent, directory=str(site))) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.needs_browser
@pytest.mark.asyncio(loop_scope="module")
async def test_in_a_browser_nobody_else_is_asked_and_the_search_finds(browser: "Browser", address: str) -> None:
    page = await browser.new_page()
    asked: list[str] = []
    wrong: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    for name in ("index.html", "repartitioning.html", "examples/approval.html", "runbooks/AimClaimsWait.html"):
        await page.goto(f"{address}/{name}", wait_until="networkidle")
        broken = await page.evaluate("[...document.images].filter(one => !one.naturalWidth).map(one => one.src)")
        assert broken == [], name
    search = page.get_by_role("textbox", name="Search")
    await search.click()
    await search.press_sequentially("quarantine")
    found = page.locator(".md-search-result__link")
    await found.first.wait_for(timeout=15_000)
    assert "nodes.html" in (await found.first.get_attribute("href") or "")
    await page.close()
    assert len(asked) > 10
    assert [url for url in asked if not url.startswith((address, "data:", "blob:"))] == []
    assert wrong == []


def test_what_is_wrong_breaks_the_build(tmp_path: Path) -> None:
    """A link to nothing, an anchor that is not there, and a page in no line of the navigation."""
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "README.md").write_text(
        "# Home\n\n[a](gone.md) [b](quick-start.md#no-such-part) [c](quick-start.md#part)\n"
    )
    (docs / "quick-start.md").write_text("# Quick\n\n## Part\n")
    (docs / "left.md").write_text("# Left over\n")
    head = (ROOT / "mkdocs.yml").read_text(encoding="utf-8").partition("\nnav:\n")[0]
    head = re.sub(r"^(hooks|watch):.*\n", "", head, flags=re.MULTILINE)
    head = head.replace("custom_dir: handbook/theme", f"custom_dir: {ROOT / 'handbook/theme'}")
    (tmp_path / "mkdocs.yml").write_text(f"{head}\nnav: [README.md, quick-start.md]\n")
    done = build(tmp_path / "site", tmp_path / "mkdocs.yml")
    assert done.returncode != 0
    assert "gone.md" in done.stderr
    assert "no-such-part" in done.stderr
    assert "left.md" in done.stderr
    assert "#part'" not in done.stderr
    assert done.stderr.count("WARNING") == 3
