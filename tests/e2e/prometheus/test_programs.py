"""Debian's Prometheus, taken with an apt-get and a dpkg that are shell scripts; and the real one."""

import io
import subprocess
from pathlib import Path

import pytest

from e2e.plane.errors import BuildError, PackagesUnavailable
from e2e.plane.progress import Progress
from e2e.prometheus.programs import Programs, ensure_prometheus

APT = """#!/bin/sh
echo archive > prometheus_9.9-1_amd64.deb
"""
DPKG = """#!/bin/sh
mkdir -p "$3/usr/bin"
printf '#!/bin/sh\\necho "promtool, version {told}"\\n' > "$3/usr/bin/promtool"
chmod +x "$3/usr/bin/promtool"
"""


def environment(folder: Path, told: str) -> dict[str, str]:
    for name, text in {"apt-get": APT, "dpkg": DPKG.replace("{told}", told)}.items():
        program = folder / "bin" / name
        program.parent.mkdir(exist_ok=True)
        program.write_text(text)
        program.chmod(0o755)
    return {"PATH": f"{folder / 'bin'}:/usr/bin:/bin", "XDG_CACHE_HOME": str(folder / "cache")}


@pytest.mark.parametrize("told", ["2.42.0+ds", "2.53.3", "3.1.0"])
def test_programs_and_their_versions_are_told(tmp_path: Path, told: str) -> None:
    found = ensure_prometheus(Progress(io.StringIO()), environment(tmp_path, told))

    assert told.startswith(found.version)
    assert found.package == "prometheus_9.9-1_amd64.deb"
    assert found.promtool.is_relative_to(tmp_path)
    assert found.prometheus == found.promtool.with_name("prometheus")


@pytest.mark.parametrize(
    ("told", "want"),
    [
        pytest.param("2.41.9", "is 2.41.9, wanted 2.42 or newer: Debian 12 has it", id="older than rules need"),
        pytest.param("1.99.0", "is 1.99.0, wanted 2.42 or newer", id="much older"),
        pytest.param("none", "does not tell its version: remove .*, it is fetched again", id="broken"),
    ],
)
def test_what_cannot_be_used_is_told(tmp_path: Path, told: str, want: str) -> None:
    with pytest.raises(BuildError, match=want):
        ensure_prometheus(Progress(io.StringIO()), environment(tmp_path, told))


def test_another_system_than_debian_is_told(tmp_path: Path) -> None:
    environ = {"PATH": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache")}

    with pytest.raises(PackagesUnavailable, match=r"apt-get is not here: Prometheus .* from Debian or Ubuntu"):
        ensure_prometheus(Progress(io.StringIO()), environ)


@pytest.mark.needs_prometheus
def test_the_real_promtool_judges(prometheus_programs: Programs, tmp_path: Path) -> None:
    rules = tmp_path / "bad.rules.yaml"
    rules.write_text("groups: [{name: one, rules: [{record: a, expr: 'sum('}]}]")

    done = subprocess.run(
        [prometheus_programs.promtool, "check", "rules", rules], capture_output=True, text=True, check=False
    )

    assert done.returncode == 1
    assert "could not parse expression" in done.stdout + done.stderr
