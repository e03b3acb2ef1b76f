"""What a step changed, and the layer of it."""

import os
import tarfile
from pathlib import Path

import pytest

from e2e.image.tree import Difference, difference, removed_by, scan, write_layer

NEWEST = 1_700_000_000


def filled(root: Path, order: list[str]) -> Path:
    root.mkdir()
    (root / "d").mkdir(mode=0o750)
    for name in order:
        (root / "d" / name).write_text(name)
    os.link(root / "d/b", root / "d/c")
    (root / "d/soft").symlink_to("b")
    return root


def layer(root: Path, target: Path) -> bytes:
    write_layer(root, difference({}, scan(root)), target, NEWEST)
    return target.read_bytes()


def test_a_layer_depends_on_names_and_contents_alone(tmp_path: Path) -> None:
    first = layer(filled(tmp_path / "1", ["a", "b"]), tmp_path / "1.tar")
    assert layer(filled(tmp_path / "2", ["b", "a"]), tmp_path / "2.tar") == first


def test_a_layer_keeps_modes_links_and_times_before_the_limit(tmp_path: Path) -> None:
    root = filled(tmp_path / "1", ["a", "b"])
    os.utime(root / "d/a", (1000, 1000))
    layer(root, tmp_path / "1.tar")
    with tarfile.open(tmp_path / "1.tar") as archive:
        found = {member.name: member for member in archive.getmembers()}
    assert found["d"].mode == 0o750
    assert (found["d/a"].mtime, found["d/b"].mtime) == (1000, NEWEST)
    assert (found["d/c"].islnk(), found["d/c"].linkname) == (True, "d/b")
    assert (found["d/soft"].issym(), found["d/soft"].linkname) == (True, "b")


@pytest.mark.parametrize(
    ("act", "want"),
    [
        (lambda root: (root / "d/a").write_text("b"), Difference(("d/a",), ())),
        (lambda root: (root / "d/a").chmod(0o600), Difference(("d/a",), ())),
        (lambda root: (root / "d/new").mkdir(), Difference(("d/new",), ())),
        (lambda root: (root / "d/a").unlink(), Difference((), ("d/a",))),
        (lambda root: (root / "etc/resolv.conf").write_text("of the machine"), Difference((), ())),
        (lambda root: (root / "proc/1").write_text("mounted"), Difference((), ())),
        (lambda root: None, Difference((), ())),
    ],
    ids=["content of the same length", "mode", "folder", "removal", "not ours", "mounted", "nothing"],
)
def test_a_difference_is_what_a_step_did(tmp_path: Path, act: object, want: Difference) -> None:
    root = filled(tmp_path / "1", ["a", "b"])
    (root / "etc").mkdir()
    (root / "proc").mkdir()
    before = scan(root)
    act(root)  # type: ignore[operator]
    assert difference(before, scan(root)) == want


def test_a_removed_folder_is_one_mark(tmp_path: Path) -> None:
    root = filled(tmp_path / "1", ["a", "b"])
    before = scan(root)
    for path in ("d/a", "d/b", "d/c", "d/soft"):
        (root / path).unlink()
    (root / "d").rmdir()
    write_layer(root, difference(before, scan(root)), tmp_path / "1.tar", NEWEST)
    assert removed_by(tmp_path / "1.tar") == ["d"]
