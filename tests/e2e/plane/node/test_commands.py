"""What is decided about a node before it starts."""

from pathlib import Path

import pytest

from e2e.plane.errors import NodeUnavailable
from e2e.plane.node.commands import Programs, snapshotter
from e2e.plane.node.fleet import RealNodes
from e2e.plane.node.real_node import RealNode
from e2e.plane.programs import NODE_FAMILIES, programs

BUILT = {program.name: Path("/cache", program.name) for _, program in programs(NODE_FAMILIES)}
NODE = RealNode("real-1", 1, Path("/tmp/plane/real-1"), "198.18.0.11", Path("/cache/ctr"))


@pytest.mark.parametrize(
    ("mounts", "want"),
    [
        pytest.param("overlay / overlay rw 0 0\n", "native", id="in a container"),
        pytest.param("overlay / overlay rw 0 0\ntmpfs /tmp tmpfs rw 0 0\n", "overlayfs", id="a volume in a container"),
        pytest.param("/dev/sda / ext4 rw 0 0\noverlay /mnt overlay rw 0 0\n", "overlayfs", id="a machine"),
    ],
)
def test_images_are_laid_on_each_other_as_the_folder_allows(mounts: str, want: str) -> None:
    assert snapshotter(Path("/tmp/plane"), mounts) == want


@pytest.mark.parametrize(
    ("path", "want"),
    [
        ("/var/lib/kubelet/plugins", "/tmp/plane/real-1/lib/kubelet/plugins"),
        ("/var/run/cdi", "/tmp/plane/real-1/run/cdi"),
        ("/run", "/tmp/plane/real-1/run"),
        ("/var/log/pods", "/tmp/plane/real-1/log/pods"),
        ("/usr/bin/env", "/usr/bin/env"),
        ("/running", "/running"),
    ],
)
def test_a_path_of_the_node_is_found_on_the_host(path: str, want: str) -> None:
    assert NODE.on_host(path) == Path(want)


@pytest.mark.parametrize("count", [-1, 4])
def test_a_number_of_nodes_that_is_not_possible_is_refused(count: int, tmp_path: Path) -> None:
    with pytest.raises(NodeUnavailable, match=rf"real_nodes={count}: 1 to 3 are possible"):
        RealNodes(count, tmp_path, Programs(BUILT, tmp_path))


def test_programs_that_were_not_built_are_named(tmp_path: Path) -> None:
    with pytest.raises(NodeUnavailable, match="real_nodes=1 without kubelet: build NODE_FAMILIES, too"):
        RealNodes(1, tmp_path, Programs({name: path for name, path in BUILT.items() if name != "kubelet"}, tmp_path))


def test_packages_that_lack_a_program_are_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"none of usr/sbin/runc, usr/bin/runc is in .*: remove that folder"):
        Programs({}, tmp_path).packaged("usr/sbin/runc", "usr/bin/runc")
