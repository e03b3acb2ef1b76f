import pytest

from tests.docs.shown_output import differs, lacks

TABLE = "NAME  NODE   AGE\naim-dpu4w2ocqh  gpu-b  3s"


@pytest.mark.parametrize(
    ("said", "printed"),
    [
        pytest.param("a b", "a  b\n", id="space"),
        pytest.param(TABLE, "NAME NODE AGE\naim-xxxxxxxx12 gpu-b 1m4s", id="ages and generated names"),
        pytest.param("...\nb", "a\nc\nb", id="lines left out before"),
        pytest.param("a\n...", "a\nb\nc", id="lines left out after"),
        pytest.param("guarantees held ...", "guarantees held while", id="words left out"),
        pytest.param("┃ A ┃ B ┃", "│ A │   B │", id="boxes"),
        pytest.param("chat-65bb8c9f7-kzv7f", "chat-7f6c9b4d8-abcde", id="pods"),
    ],
)
def test_what_differs_every_time_is_let_pass(said: str, printed: str) -> None:
    assert differs(said, printed) is None


@pytest.mark.parametrize(
    ("said", "printed", "want"),
    [
        pytest.param("a b", "a c", "'a b'", id="another word"),
        pytest.param(TABLE, TABLE.replace("gpu-b", "gpu-c"), "gpu-b", id="another node"),
        pytest.param("a", "a\nb", "nothing is said of 'b'", id="a line too many"),
        pytest.param("a\nb", "a", "'b'", id="a line too few"),
        pytest.param("READY True", "READY False", "READY True", id="another state"),
    ],
)
def test_what_is_otherwise_is_told(said: str, printed: str, want: str) -> None:
    found = differs(said, printed)
    assert found is not None
    assert want in found


def test_lines_in_another_order_are_found_and_others_are_not() -> None:
    assert lacks("a b\n...\nc", "c\nx\na b") is None
    assert lacks("a b\nd", "c\na b") == "d"
