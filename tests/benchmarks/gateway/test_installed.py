from pathlib import Path

import pytest

from tests.benchmarks.gateway.installed import REQUIREMENTS, version_of
from tests.benchmarks.gateway.settings import HAPROXY, PEERS


@pytest.mark.parametrize("name", [name for name in PEERS if name != HAPROXY])
def test_every_peer_is_pinned_with_all_that_it_needs(name: str) -> None:
    pinned = REQUIREMENTS / f"{name}.txt"
    assert version_of(pinned, name)
    assert all("==" in line for line in pinned.read_text().splitlines() if line)


def test_a_peer_that_is_not_pinned_is_told(tmp_path: Path) -> None:
    pinned = tmp_path / "smg.txt"
    pinned.write_text("other==1.0\n")
    with pytest.raises(ValueError, match="pins no smg"):
        version_of(pinned, "smg")
