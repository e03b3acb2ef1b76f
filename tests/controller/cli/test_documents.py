import os
from pathlib import Path

import pytest

from controller.cli.documents import MOST_BYTES, MOST_EVENTS, BadInput, read_documents, read_text


def config_map(data: str) -> str:
    return f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: a}}\ndata: {data}\n"


@pytest.mark.parametrize(
    ("data", "want"),
    [
        pytest.param("x" * MOST_BYTES, "has more than 8 MiB; name a file of Kubernetes objects", id="too large"),
        pytest.param(
            f"[{'1,' * MOST_EVENTS}1]", "holds more than 400000 values", id="small, and large once it is built"
        ),
    ],
)
def test_a_file_that_would_take_minutes_to_read_is_refused(tmp_path: Path, data: str, want: str) -> None:
    file = tmp_path / "objects.yaml"
    file.write_text(config_map(data))
    with pytest.raises(BadInput, match=want):
        read_documents([file])


def test_the_largest_files_of_kubernetes_objects_are_read(tmp_path: Path) -> None:
    file = tmp_path / "objects.yaml"
    file.write_text("---\n".join(config_map(f"{{key: {'x' * 500_000}}}") for _ in range(3)))
    assert [document.name for document in read_documents([file])] == ["a", "a", "a"]


@pytest.mark.parametrize(
    ("name", "content", "want"),
    [
        pytest.param(
            "README.md", b"# Title\n\nWords: more: of them\n", "line 3, column 12: is no YAML (", id="no YAML"
        ),
        pytest.param("a.yaml", b"a: \x00", "is no YAML (", id="no characters of YAML"),
        pytest.param("photo.yaml", b"\xff\xd8\xff", "cannot be read ('utf-8' codec", id="no text"),
        pytest.param("empty.yaml", b"", "no object is in it; write apiVersion, kind and metadata", id="nothing"),
        pytest.param("gone.yaml", None, "is not there; name a YAML file, or a directory with some", id="no file"),
    ],
)
def test_a_file_that_cannot_be_used_is_named_once(tmp_path: Path, name: str, content: bytes | None, want: str) -> None:
    file = tmp_path / name
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(BadInput) as refused:
        read_documents([file])
    said = str(refused.value)
    assert said.startswith(f"{file}: {want}")
    assert (said.count(name), "Errno" in said, "''" in said) == (1, False, False)


def test_so_is_one_that_cannot_be_read(tmp_path: Path) -> None:
    for file, why in ((tmp_path / "gone", "No such file or directory"), (tmp_path, "Is a directory")):
        with pytest.raises(BadInput) as refused:
            read_text(file)
        assert str(refused.value) == f"{file}: cannot be read ({why}); name a readable text file"


def test_a_pipe_is_read_as_a_file_is() -> None:
    reading, writing = os.pipe()
    os.write(writing, b"{apiVersion: v1, kind: Pod, metadata: {name: piped}}")
    os.close(writing)
    try:
        (found,) = read_documents([Path(f"/dev/fd/{reading}")])
    finally:
        os.close(reading)
    assert str(found) == "Pod default/piped"
