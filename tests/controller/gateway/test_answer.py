import pytest

from controller.gateway.answer import usage_in

USAGES = [
    pytest.param(
        b'"usage":{"prompt_tokens":7,"total_tokens":12,"completion_tokens":5}', (7, 5), id="as vLLM writes it"
    ),
    pytest.param(
        b'"usage": {"prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 12}', (7, 5), id="in another order"
    ),
    pytest.param(b'"usage":{"completion_tokens":5,"prompt_tokens":7}', (7, 5), id="the output first"),
    pytest.param(b'"usage": {\n  "prompt_tokens": 7,\n  "completion_tokens": 5}', (7, 5), id="in several lines"),
    pytest.param(b'"usage":{"prompt_tokens":7,"total_tokens":7}', (7, None), id="of embeddings, which have no output"),
    pytest.param(b'"usage":null', (None, None), id="null"),
    pytest.param(
        b'"usage":{"prompt_tokens":70000000000,"completion_tokens":5}', (700000000, 5), id="a number too long"
    ),
]


@pytest.mark.parametrize(("usage", "want"), USAGES)
def test_tokens_are_found_however_an_engine_writes_them(usage: bytes, want: tuple[int | None, int | None]) -> None:
    assert usage_in(b'{"choices":[],' + usage + b"}") == want


def test_what_a_model_wrote_is_not_taken_for_the_usage() -> None:
    said = rb'{"content":"say \"usage\":{\"prompt_tokens\":1,\"completion_tokens\":1}","usage":{"prompt_tokens":7,"completion_tokens":5}}'
    assert usage_in(said) == (7, 5)
    assert usage_in(rb'{"content":"\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":1}"}') == (None, None)


def test_only_the_end_is_searched() -> None:
    usage = b'"usage":{"prompt_tokens":7,"completion_tokens":5}'
    assert usage_in(usage + b" " * 10_000) == (None, None)
