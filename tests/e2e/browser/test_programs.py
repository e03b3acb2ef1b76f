"""The browser comes from packages with all that it needs, or from PATH where there are none."""

import subprocess
from pathlib import Path

import pytest

from e2e.browser import Browser, ensure_browser
from e2e.plane.errors import BuildError, PackagesUnavailable
from tests.from_packages import had


@pytest.fixture
def no_apt(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> Path:
        raise PackagesUnavailable("apt-get is not here")

    monkeypatch.setattr("e2e.browser.programs.ensure_unpacked", refuse)


def program(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
    path.chmod(0o755)
    return path


@pytest.mark.usefixtures("no_apt")
def test_without_apt_the_one_on_path_is_taken(tmp_path: Path) -> None:
    found = program(tmp_path, "chromium", "echo Chromium 156.0.1")
    assert ensure_browser(environ={"PATH": str(tmp_path)}) == Browser(found, {}, "156.0.1")


@pytest.mark.usefixtures("no_apt")
def test_with_neither_it_says_so(tmp_path: Path) -> None:
    with pytest.raises(PackagesUnavailable, match="apt-get is not here"):
        ensure_browser(environ={"PATH": str(tmp_path)})


@pytest.mark.usefixtures("no_apt")
def test_one_that_does_not_start_is_told(tmp_path: Path) -> None:
    program(tmp_path, "chromium", "exit 127")
    with pytest.raises(BuildError, match="does not start"):
        ensure_browser(environ={"PATH": str(tmp_path)})


@pytest.mark.needs_browser
def test_the_unpacked_one_takes_every_library_from_beside_it(pytestconfig: pytest.Config) -> None:
    """But those of the C library, which are the loader's: a machine that has nothing of a desktop can run it."""
    found = had(ensure_browser, "needs_browser", pytestconfig)
    if not found.environment:
        pytest.skip("the browser on PATH was taken")
    told = subprocess.run(
        ["ldd", found.program], env=found.environment, capture_output=True, text=True, timeout=20, check=True
    ).stdout
    root = found.environment["FONTCONFIG_SYSROOT"]
    elsewhere = {line.split()[0] for line in told.splitlines() if "=>" in line and f"=> {root}/" not in line}
    c_library = {"libc.so.6", "libm.so.6", "libdl.so.2", "libpthread.so.0", "librt.so.1", "libresolv.so.2"}
    assert elsewhere <= c_library
    assert "not found" not in told
