"""Recorded KFD topologies, unpacked as tests need them."""

import tarfile
from pathlib import Path

ARCHIVES = Path(__file__).parents[1] / "data" / "kfd"


def unpack(archive: str, into: Path) -> Path:
    """The recording's root, unpacked below `into`. Of the links, 4000 files, only those of the first GPU, node 2."""
    with tarfile.open(ARCHIVES / archive) as tar:
        members = [member for member in tar if "_links/" not in member.name or "/nodes/2/" in member.name]
        tar.extractall(into, members=members, filter="data")
    (root,) = into.iterdir()
    return root
