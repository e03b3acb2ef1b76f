import errno
from pathlib import Path
from typing import Any

import orjson
import pytest

from controller.cli.profile_directory import NotOurs, ProfileDirectory, read_index

INDEX: dict[str, Any] = {"rows": [{"files": ["a/b/one.yaml", "two.yaml"]}], "aim_catalogue": [{"status": "refused"}]}


def generate(target: Path, text: str = "new") -> None:
    with ProfileDirectory(target) as directory:
        directory.write("a/b/one.yaml", text)
        directory.write("two.yaml", text)
        directory.replace(INDEX)


def tree(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file()}


def test_a_new_directory_is_made_with_its_parents(tmp_path: Path) -> None:
    generate(tmp_path / "deep" / "out")
    assert set(tree(tmp_path / "deep" / "out")) == {"a/b/one.yaml", "two.yaml", "index.json"}


def test_it_is_as_open_to_others_as_any_directory(tmp_path: Path) -> None:
    generate(tmp_path / "out")
    (tmp_path / "any").mkdir()
    assert (tmp_path / "out").stat().st_mode == (tmp_path / "any").stat().st_mode


def test_an_empty_directory_is_filled(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    generate(tmp_path / "out")
    assert read_index(tmp_path / "out") is not None


def test_one_of_ours_is_replaced_whole(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with ProfileDirectory(out) as directory:
        directory.write("old.yaml", "old")
        directory.replace({"rows": [{"files": ["old.yaml"]}]})
    generate(out)
    assert set(tree(out)) == {"a/b/one.yaml", "two.yaml", "index.json"}
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize(
    ("file", "content", "want"),
    [
        pytest.param("notes.txt", b"mine", "is not empty, and no profiles were generated there", id="another's"),
        pytest.param("index.json", b'{"rows": []}', "is not empty", id="another's index"),
        pytest.param("index.json", b"{", "is not empty", id="an index that is no JSON"),
    ],
)
def test_somebody_elses_directory_is_refused_and_kept(tmp_path: Path, file: str, content: bytes, want: str) -> None:
    (tmp_path / file).write_bytes(content)
    with pytest.raises(NotOurs, match=want):
        generate(tmp_path)
    assert tree(tmp_path) == {file: content}


def test_a_file_put_among_ours_is_named_and_kept(tmp_path: Path) -> None:
    out = tmp_path / "out"
    generate(out)
    (out / "a" / "mine.yaml").write_text("mine")
    with pytest.raises(NotOurs, match=r"has a/mine\.yaml, which was not generated: move it away"):
        generate(out)
    assert (out / "a" / "mine.yaml").read_text() == "mine"


@pytest.mark.parametrize("kind", ["a file", "a link"])
def test_what_is_no_directory_is_refused(tmp_path: Path, kind: str) -> None:
    out = tmp_path / "out"
    out.symlink_to(tmp_path) if kind == "a link" else out.write_text("x")
    with pytest.raises(NotOurs, match="is no directory of its own"):
        generate(out)


def test_an_error_on_the_way_leaves_everything_as_it_was(tmp_path: Path) -> None:
    out = tmp_path / "out"
    generate(out, "before")
    before = tree(tmp_path)

    def interrupted() -> None:
        with ProfileDirectory(out) as directory:
            directory.write("two.yaml", "half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert tree(tmp_path) == before


def test_a_directory_that_cannot_be_put_in_place_leaves_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    generate(out, "before")
    before = tree(tmp_path)
    rename = Path.rename

    def refusing(path: Path, target: Path) -> Path:
        if path.name == "new":
            raise OSError(errno.EIO, "the disk is gone")
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", refusing)
    with pytest.raises(OSError, match="the disk is gone"):
        generate(out)
    assert tree(tmp_path) == before


def test_a_file_that_appears_meanwhile_is_not_lost(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with ProfileDirectory(out) as directory:
        out.mkdir()
        (out / "mine").write_text("mine")
        with pytest.raises(NotOurs):
            directory.replace(INDEX)
    assert tree(tmp_path) == {"out/mine": b"mine"}


def test_the_index_says_who_wrote_it(tmp_path: Path) -> None:
    generate(tmp_path / "out")
    assert orjson.loads((tmp_path / "out" / "index.json").read_bytes()) == {
        "generator": "aim-gpu profiles generate",
        **INDEX,
    }
