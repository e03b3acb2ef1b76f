"""The page's files: none asks for anything elsewhere, and what is of others is what it says it is."""

import hashlib
import re
from importlib.resources import files

from controller.sizing.catalog import Catalog
from controller.ui.assets import CONTENT_SECURITY_POLICY, assets

ORIGIN = "vendor/origin.txt"
LIBRARY = "vendor/preact.js"


def text_of(path: str) -> str:
    return assets()[path].content.decode()


def test_every_file_of_the_folder_is_served_with_its_type() -> None:
    folder = files("controller.ui").joinpath("static")
    names = {entry.name for entry in folder.iterdir() if not entry.is_dir()} - {"index.html"}
    assert names <= assets().keys()
    assert (assets()[""].content_type, assets()["main.js"].content_type) == ("text/html", "text/javascript")


def test_our_files_name_no_other_server() -> None:
    ours = [path for path in assets() if not path.startswith("vendor/")]
    allowed = {"http://www.w3.org/2000/svg"}
    found = {url for path in ours for url in re.findall(r"https?://[^\s\"'`)]+", text_of(path))}
    assert found <= allowed


def test_imports_are_of_files_that_are_there() -> None:
    for path in assets():
        for wanted in re.findall(r'from "\./([^"]+)"', text_of(path)):
            assert wanted in assets(), f"{path} imports {wanted}"


def test_models_that_the_page_names_can_be_sized() -> None:
    named = re.search(r"EXAMPLES = \[(.*?)\]", text_of("whatif.js"))
    assert named is not None
    assert {*re.findall(r'"([^"]+)"', named[1])} <= {*Catalog.bundled().known_ids()}


def test_the_page_has_no_script_or_style_of_its_own() -> None:
    page = text_of("")
    assert re.findall(r"<script(?![^>]*\bsrc=)", page) == []
    assert re.findall(r"<style|\sstyle=|\son[a-z]+=", page) == []


def test_the_policy_allows_nothing_that_is_not_ours() -> None:
    told = dict(each.split(" ", 1) for each in CONTENT_SECURITY_POLICY.split("; "))
    assert told["default-src"] == "'none'"
    assert {told[name] for name in ("script-src", "style-src", "img-src", "connect-src")} == {"'self'"}
    assert "unsafe" not in CONTENT_SECURITY_POLICY


def test_the_library_is_the_published_file() -> None:
    told = re.search(r"sha256: ([0-9a-f]{64})", text_of(ORIGIN))
    assert told is not None
    assert hashlib.sha256(assets()[LIBRARY].content).hexdigest() == told[1]
    assert "MIT License" in text_of("vendor/preact-license.txt")
