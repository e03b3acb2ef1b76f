from pathlib import Path

import pytest

from controller.cli.documents import MOST_BYTES, MOST_EVENTS, BadInput, read_documents


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
