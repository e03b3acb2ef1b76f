"""Files of which one is `-`: what comes by a pipe, as `kubectl apply -f -` takes it."""

import io
import sys

import pytest

from controller.cli.documents import MOST_BYTES, STDIN, BadInput, read_documents

SERVICE = b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: piped}\n"


def given(monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))


def test_objects_of_a_pipe_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    given(monkeypatch, SERVICE)
    assert [document.name for document in read_documents([STDIN])] == ["piped"]


@pytest.mark.parametrize(
    ("content", "want"),
    [
        pytest.param(b"", "standard input: no object is in it; write apiVersion", id="nothing"),
        pytest.param(b"a: [", "standard input: line 2, column 1: ", id="no YAML"),
        pytest.param(b"\xff\xfe\x00", "standard input: cannot be read (", id="no text"),
        pytest.param(b"a" * (MOST_BYTES + 1), "standard input: has more than 8 MiB", id="too large"),
    ],
)
def test_what_cannot_be_used_is_named_as_people_know_it(
    monkeypatch: pytest.MonkeyPatch, content: bytes, want: str
) -> None:
    given(monkeypatch, content)
    with pytest.raises(BadInput) as caught:
        read_documents([STDIN])
    assert str(caught.value).startswith(want)


def test_it_can_be_given_but_once(monkeypatch: pytest.MonkeyPatch) -> None:
    given(monkeypatch, SERVICE)
    with pytest.raises(BadInput, match="standard input: -f: is given twice; give it once"):
        read_documents([STDIN, STDIN])
