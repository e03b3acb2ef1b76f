"""What COPY may take."""

from pathlib import Path

import pytest

from e2e.image.context import Context, ignored
from e2e.image.errors import StepFailed

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(
    ("patterns", "path", "want"),
    [
        (["*"], "a", True),
        (["*"], "a/b", True),
        (["*", "!a"], "a/b", False),
        (["*", "!a", "a/b"], "a/b", True),
        (["*", "!a", "**/__pycache__"], "a/c/__pycache__/d.pyc", True),
        (["**/*.pyc"], "a/b/c.pyc", True),
        (["**/*.pyc"], "c.pyc", True),
        (["*.pyc"], "a/c.pyc", False),
        (["a?"], "ab/c", True),
        (["a.b"], "axb", False),
        ([], "a", False),
    ],
)
def test_the_last_pattern_that_fits_decides(patterns: list[str], path: str, want: bool) -> None:
    assert ignored(path, patterns) is want


def test_a_source_is_a_file_or_a_folder(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a/b").write_text("")
    (tmp_path / "ab").write_text("")
    assert [str(path) for path in Context.of(tmp_path).under("a")] == ["a/b"]
    assert [str(path) for path in Context.of(tmp_path).under("ab")] == ["ab"]


def test_a_source_that_is_left_out_is_missed(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("")
    (tmp_path / ".dockerignore").write_text("# all\n*\n")
    with pytest.raises(StepFailed, match=r"COPY a: .* \.dockerignore leaves it out"):
        Context.of(tmp_path).under("a")


def test_our_context_has_what_the_image_is_made_of_and_nothing_else() -> None:
    tops = {path.parts[0] for path in Context.of(ROOT).files}
    assert tops == {"api", "controller", "LICENSE", "README.md", "pyproject.toml", "uv.lock"}
    assert not [path for path in Context.of(ROOT).files if path.suffix == ".pyc"]
