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


def links(archive: str) -> set[tuple[int, int, int]]:
    """Every link of the recording: the numbers of its two nodes, and its type."""
    found = set()
    with tarfile.open(ARCHIVES / archive) as tar:
        for member in tar:
            if member.name.endswith("/properties") and "_links/" in member.name:
                file = tar.extractfile(member)
                assert file is not None
                told = dict(line.split() for line in file.read().decode().splitlines())
                found.add((int(told["node_from"]), int(told["node_to"]), int(told["type"])))
    return found
