"""Which control groups a machine has, told by its mounts."""

from pathlib import Path

import pytest

from e2e.plane.errors import NodeUnavailable
from e2e.plane.node import cgroups
from e2e.plane.node.cgroups import create, hierarchies, version

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


def test_a_new_group_of_v1_may_use_what_its_parent_may(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cgroups, "hierarchies", lambda: [tmp_path])
    monkeypatch.setattr(cgroups, "version", lambda: 1)
    (tmp_path / "cpuset.cpus").write_text("0-1\n")
    (tmp_path / "plane").mkdir()
    (tmp_path / "plane" / "cpuset.cpus").write_text("\n")  # the kernel makes it with the folder

    create("plane")

    assert (tmp_path / "plane" / "cpuset.cpus").read_text() == "0-1\n"


def test_a_new_group_of_v2_gets_every_controller_that_its_parent_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cgroups, "hierarchies", lambda: [tmp_path])
    monkeypatch.setattr(cgroups, "version", lambda: 2)
    (tmp_path / "cgroup.controllers").write_text("cpuset cpu memory\n")
    (tmp_path / "cgroup.subtree_control").write_text("cpu\n")

    create("plane")

    assert (tmp_path / "cgroup.subtree_control").read_text() == "+cpuset +memory"


def test_a_group_that_cannot_be_made_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setattr(cgroups, "hierarchies", lambda: [tmp_path / "file"])

    with pytest.raises(
        NodeUnavailable, match=r"no control group of its own for a node, .*file/plane: .*Not a directory"
    ):
        create("plane")
