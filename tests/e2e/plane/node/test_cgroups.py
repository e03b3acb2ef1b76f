"""Which control groups a machine has, told by its mounts."""

from pathlib import Path

import pytest

from e2e.plane.errors import NodeUnavailable
from e2e.plane.node.cgroups import hierarchies, version

FIRST = """tmpfs /sys/fs/cgroup tmpfs rw 0 0
cgroup /sys/fs/cgroup/cpu,cpuacct cgroup rw,cpu,cpuacct 0 0
cgroup /sys/fs/cgroup/memory cgroup rw,memory 0 0
cgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0
"""
SECOND = "proc /proc proc rw 0 0\ncgroup2 /sys/fs/cgroup cgroup2 rw,nsdelegate 0 0\n"


@pytest.mark.parametrize(
    ("mounts", "want"),
    [
        pytest.param(FIRST, (1, ["cpu,cpuacct", "memory", "unified"]), id="v1, with v2 beside it"),
        pytest.param(SECOND, (2, [""]), id="v2"),
    ],
)
def test_mounts_tell_version_and_hierarchies(mounts: str, want: tuple[int, list[str]]) -> None:
    assert version(mounts) == want[0]
    assert list(hierarchies(mounts)) == [Path("/sys/fs/cgroup") / name for name in want[1]]


def test_a_machine_without_control_groups_is_told() -> None:
    with pytest.raises(NodeUnavailable, match="no control groups"):
        version("proc /proc proc rw 0 0\n")
