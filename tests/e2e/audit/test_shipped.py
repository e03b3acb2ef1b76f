"""What we ship has licences that let us: over the lock, as it is installed here."""

import re
from pathlib import Path

import pytest

from e2e.audit.__main__ import SOURCE, licences
from e2e.audit.shipped import SHIPPED, export, shipped

EXPORTED = """\
aiohttp==3.14.5 \\
    --hash=sha256:00
    # via aim-gpu-sharing
colorama==0.4.6 ; sys_platform == 'win32' \\
    --hash=sha256:01
numpy==2.4.1 ; python_full_version >= '3.11'
"""


def test_distributions_for_other_platforms_are_not_shipped() -> None:
    assert [one.name for one in shipped(EXPORTED)] == ["aiohttp", "numpy"]


def test_what_is_exported_is_what_the_image_gets() -> None:
    dockerfile = (SOURCE / "Dockerfile").read_text(encoding="utf-8")
    (command,) = re.findall(r"uv sync (.*)", dockerfile)
    assert set(command.split()) - {"--no-install-project"} == set(SHIPPED)


@pytest.fixture
def locked() -> str:
    """The lock's export by the locked uv, which `make env` puts there."""
    uv = SOURCE / "build/uv/bin/uv"
    return export(uv if uv.exists() else Path("uv"), SOURCE)


def test_every_licence_of_what_we_ship_is_allowed(locked: str) -> None:
    distributions = shipped(locked)
    assert len(distributions) > 30
    assert "pytest" not in {one.name for one in distributions}
    assert licences(distributions) == []
