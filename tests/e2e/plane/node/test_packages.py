"""Packages of the distribution, with an apt-get and a dpkg that are shell scripts."""

import io
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from e2e.plane.cache import cache_root
from e2e.plane.errors import BuildError, NodeUnavailable
from e2e.plane.node.packages import PACKAGES, ensure_packages, packages_folder
from e2e.plane.progress import Progress

ROOT = Path(__file__).parents[4]
APT = """#!/bin/sh
here="$(dirname "$0")"
echo "$1" >> "$here/runs"
{act}
if [ "$1" = download ]; then shift 2; for name; do echo "$name" > "$name.deb"; done; fi
"""
DPKG = """#!/bin/sh
mkdir -p "$3/usr/share" && cp "$2" "$3/usr/share/"
"""
NEEDS_UPDATE = 'if [ "$1" = update ]; then touch "$here/updated"; elif [ ! -e "$here/updated" ]; then exit 100; fi'
FAILS = "echo 'E: Unable to locate package runc' >&2; exit 100"


def test_the_page_of_real_nodes_names_every_package() -> None:
    page = (ROOT / "docs/real-node.md").read_text(encoding="utf-8")

    assert [name for name in (*PACKAGES, "mmdebstrap") if f"`{name}`" not in page] == []


def environment(folder: Path, act: str = "") -> dict[str, str]:
    for name, text in {"apt-get": APT.format(act=act), "dpkg": DPKG}.items():
        program = folder / "bin" / name
        program.parent.mkdir(exist_ok=True)
        program.write_text(text)
        program.chmod(0o755)
    return {"PATH": f"{folder / 'bin'}:/usr/bin:/bin", "XDG_CACHE_HOME": str(folder / "cache")}


def runs(folder: Path) -> list[str]:
    return (folder / "bin" / "runs").read_text().split()


def leftovers(folder: Path) -> list[Path]:
    return [path for path in (folder / "cache" / "aim-gpu-sharing" / "packages").iterdir() if path.is_dir()]


def test_packages_are_downloaded_and_unpacked_once(tmp_path: Path) -> None:
    environ = environment(tmp_path)

    found = [ensure_packages(Progress(io.StringIO()), environ) for _ in range(2)]

    assert found == [packages_folder(cache_root(environ))] * 2
    assert {file.name for file in (found[0] / "usr/share").iterdir()} == {f"{name}.deb" for name in PACKAGES}
    assert not (found[0] / "archives").exists()
    assert runs(tmp_path) == ["download"]


def test_an_index_that_is_missing_is_fetched(tmp_path: Path) -> None:
    said = io.StringIO()

    assert ensure_packages(Progress(said), environment(tmp_path, NEEDS_UPDATE)).exists()
    assert runs(tmp_path) == ["download", "update", "download"]
    assert "refreshing its index" in said.getvalue()


def test_a_failure_carries_what_apt_said_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match=r"apt and the network\.\nE: Unable to locate package runc"):
        ensure_packages(Progress(io.StringIO()), environment(tmp_path, FAILS))
    assert leftovers(tmp_path) == []


def test_a_system_without_apt_is_told(tmp_path: Path) -> None:
    environ = {"PATH": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache")}

    with pytest.raises(NodeUnavailable, match=r"apt-get is not here: a real node takes runc, .* from Debian or Ubuntu"):
        ensure_packages(Progress(io.StringIO()), environ)


def test_a_download_that_was_killed_is_begun_anew(tmp_path: Path) -> None:
    script = "from e2e.plane.node.packages import ensure_packages; ensure_packages()"
    environ = environment(tmp_path, "touch half.deb; sleep 60")
    with subprocess.Popen([sys.executable, "-c", script], cwd=ROOT, env=environ, start_new_session=True) as killed:
        deadline = time.monotonic() + 60
        while not list((tmp_path / "cache").rglob("half.deb")) and time.monotonic() < deadline:
            time.sleep(0.02)
        os.killpg(killed.pid, signal.SIGKILL)
    assert len(leftovers(tmp_path)) == 1

    found = ensure_packages(Progress(io.StringIO()), environment(tmp_path))

    assert leftovers(tmp_path) == [found]
    assert not list(found.rglob("half.deb"))
