import msgspec
import pytest

from e2e.engine.openai import BadRequest, Task, answer, chunks, read, words

LENGTH = 20


def body(**fields: object) -> bytes:
    return msgspec.json.encode({"model": "m", "messages": [{"role": "user", "content": "x" * 100}], **fields})


@pytest.mark.parametrize(
    ("fields", "want"),
    [
        pytest.param({}, LENGTH, id="the engine's own length"),
        pytest.param({"max_tokens": 7}, 7, id="max_tokens"),
        pytest.param({"max_completion_tokens": 5, "max_tokens": 7}, 5, id="the newer name goes first"),
    ],
)
def test_the_length_of_an_answer(fields: dict[str, int], want: int) -> None:
    assert read(Task.CHAT, body(**fields), LENGTH).output_tokens == want


def test_a_prompt_is_counted_by_its_length() -> None:
    short, long = (read(Task.CHAT, body(messages=["x" * size]), LENGTH).prompt_tokens for size in (400, 4000))
    assert (100 < short < 110, 1000 < long < 1010) == (True, True)


def test_embeddings_are_no_stream_and_make_no_words() -> None:
    asked = read(Task.EMBEDDING, body(input=["a", "b", "c"], stream=True, max_tokens=9), LENGTH)
    assert (asked.sequences, asked.output_tokens, asked.stream) == (3, 0, False)


@pytest.mark.parametrize("broken", [b"", b"{", b"[]", b'{"model": 1}', b"\xff"])
def test_what_is_no_request(broken: bytes) -> None:
    with pytest.raises(BadRequest, match="the body cannot be read"):
        read(Task.CHAT, broken, LENGTH)


def test_a_stream_in_pieces_is_the_answer_in_one() -> None:
    asked = read(Task.CHAT, body(max_tokens=25), LENGTH)
    whole = msgspec.json.decode(answer(asked, "n", 0))["choices"][0]["message"]["content"]
    pieces = [*chunks(asked, "n", 0, 0, 12, last=False), *chunks(asked, "n", 0, 12, 13, last=True)]
    found = [msgspec.json.decode(piece.removeprefix(b"data: ")) for piece in pieces[:-1]]
    assert "".join(event["choices"][0]["delta"]["content"] for event in found) == whole == words(0, 25)


@pytest.mark.parametrize(
    ("task", "fields", "want"),
    [
        pytest.param(Task.CHAT, {}, 1, id="a chat"),
        pytest.param(Task.CHAT, {"n": 3}, 3, id="choices of a chat"),
        pytest.param(Task.COMPLETION, {"prompt": "a", "n": 2, "best_of": 5}, 5, id="the best of several"),
        pytest.param(Task.COMPLETION, {"prompt": ["a", "b"], "n": 2}, 4, id="choices of each prompt"),
        pytest.param(Task.COMPLETION, {"prompt": [1, 2, 3]}, 1, id="one prompt as tokens"),
        pytest.param(Task.COMPLETION, {"prompt": [[1, 2], [3]]}, 2, id="two prompts as tokens"),
        pytest.param(Task.EMBEDDING, {"input": ["a", "b"], "n": 9}, 2, id="texts to embed"),
        pytest.param(Task.RERANK, {"query": "a", "documents": ["b", "c", "d"]}, 3, id="documents"),
    ],
)
def test_every_choice_of_every_prompt_is_a_sequence(task: Task, fields: dict[str, object], want: int) -> None:
    assert read(task, body(**fields), LENGTH).sequences == want


@pytest.mark.parametrize(("fields", "want"), [({"n": 0}, "n 0"), ({"n": -1}, "n -1"), ({"n": 5000}, "n 5000")])
def test_no_choices_and_too_many_are_refused(fields: dict[str, int], want: str) -> None:
    with pytest.raises(BadRequest, match=f"{want} is not between 1 and 4096"):
        read(Task.CHAT, body(**fields), LENGTH)


def test_an_empty_list_of_prompts_is_refused() -> None:
    with pytest.raises(BadRequest, match="the list of prompts is empty"):
        read(Task.COMPLETION, body(prompt=[]), LENGTH)
