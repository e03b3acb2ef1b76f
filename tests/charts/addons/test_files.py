"""Helm reads no file outside of its chart: what the chart carries is what dashboards and rules say."""

import subprocess
import tarfile
from pathlib import Path

from dashboards.__main__ import files as dashboards
from dashboards.rules.files import PLAIN
from dashboards.rules.files import files as rules
from e2e.chart import Helm

CARRIED = Path(__file__).parents[3] / "charts/aim-gpu-sharing/files"


def test_the_chart_carries_every_dashboard_as_it_is() -> None:
    assert {path.name: path.read_text() for path in (CARRIED / "dashboards").iterdir()} == dashboards(), (
        "run make generate"
    )


def test_the_chart_carries_the_rules_as_they_are() -> None:
    assert (CARRIED / "rules.yaml").read_text() == rules()[PLAIN], "run make generate"


def test_a_package_carries_nothing_that_tests_left_behind(helm: Helm, tmp_path: Path) -> None:
    left = CARRIED / "tests/__pycache__/left.pyc"
    left.parent.mkdir(exist_ok=True)
    left.write_bytes(b"compiled")
    try:
        subprocess.run(
            [str(helm.binary), "package", str(helm.chart), "--destination", str(tmp_path)],
            check=True,
            timeout=60,
            capture_output=True,
        )
    finally:
        left.unlink()
    (package,) = tmp_path.iterdir()
    with tarfile.open(package) as archive:
        names = archive.getnames()
    assert "aim-gpu-sharing/files/tests/check_installation.py" in names
    assert [name for name in names if "pyc" in name] == []
