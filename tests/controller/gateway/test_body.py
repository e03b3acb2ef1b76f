import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.gateway.body import Asked, BadBody, read_body


def asked(body: bytes) -> Asked:
    found = read_body(body)
    assert isinstance(found, Asked)
    return found


LIMITS = [
    ("none", b'{"model":"a"}', None),
    ("the old name", b'{"model":"a","max_tokens":5}', 5),
    ("the new name", b'{"model":"a","max_completion_tokens":6}', 6),
    ("the new name before the old", b'{"model":"a","max_tokens":5,"max_completion_tokens":6}', 6),
    ("several answers", b'{"model":"a","max_tokens":5,"n":3}', 15),
    ("null", b'{"model":"a","max_tokens":null,"n":null}', None),
    ("zero, which is a limit", b'{"model":"a","max_tokens":0}', 0),
]


@pytest.mark.parametrize(("body", "want"), [row[1:] for row in LIMITS], ids=[row[0] for row in LIMITS])
def test_limit_of_output(body: bytes, want: int | None) -> None:
    assert asked(body).output_limit == want


def test_reads_what_decides_and_passes_over_the_rest() -> None:
    found = asked(b' {"messages":[{"role":"user","content":{"model":"b"}}],"stream":true,"model":"a","x":1e999} ')
    assert (found.model, found.stream) == ("a", True)
    assert (found.sets_priority, found.sets_stream_options) == (False, False)


@pytest.mark.parametrize("value", [b"1", b"null", b'"high"', b"{}"])
def test_a_field_that_we_set_may_be_anything(value: bytes) -> None:
    found = asked(b'{"model":"a","priority":%b,"stream_options":%b}' % (value, value))
    assert (found.sets_priority, found.sets_stream_options) == (True, True)


def test_a_field_is_known_by_its_name_however_it_is_written() -> None:
    assert asked(rb'{"\u006dodel":"a","\u0070riority":1}').sets_priority


def test_of_a_field_that_comes_twice_the_last_counts_as_it_does_for_engines() -> None:
    assert asked(b'{"model":"a","model":"b"}').model == "b"


REFUSED = [
    ("nothing", b"", "the body is no JSON", None),
    ("a page", b"<html>", "the body is no JSON", None),
    ("half an object", b'{"model":"a"', "the body is no JSON", None),
    ("an object and more", b'{"model":"a"}{"model":"b"}', "the body is no JSON", None),
    ("a null in it", b'{"model":"\x00"}', "the body is no JSON", None),
    ("a mark of byte order", b'\xef\xbb\xbf{"model":"a"}', "the body is no JSON", None),
    ("a name that is no text", b'{"model":"\xff"}', "the body is no JSON", None),
    ("a list", b"[]", "the body is not what it has to be", None),
    ("no model", b"{}", "add the field model", "model"),
    ("a model that is no text", b'{"model":["a"]}', "model is not what it has to be", "model"),
    ("a model of null", b'{"model":null}', "model is not what it has to be", "model"),
    ("a limit below zero", b'{"model":"a","max_tokens":-1}', "max_tokens is not", "max_tokens"),
    ("a limit in parts", b'{"model":"a","max_tokens":1.5}', "max_tokens is not", "max_tokens"),
    ("a limit beyond all", b'{"model":"a","max_tokens":99999999999999999999}', "max_tokens is not", "max_tokens"),
    ("no answers", b'{"model":"a","n":0}', "n is not", "n"),
    ("a stream of text", b'{"model":"a","stream":"yes"}', "stream is not", "stream"),
    ("a name of a field that is no text", b'{"model":"a","\x80":1}', "the body is no JSON", None),
    ("text that is none", b'{"model":"a","prompt":"\xff"}', "the body is no JSON", None),
    ("a surrogate in UTF-8", b'{"model":"a","x":"\xed\xa0\x80"}', "the body is no JSON", None),
    ("brackets without an end", b'{"model":"a","x":' + b"[" * 1_000_000, "nested too deeply", None),
    ("braces without an end", b'{"model":"a","x":' + b'{"a":' * 1_000_000, "nested too deeply", None),
]


@pytest.mark.parametrize(("body", "want", "want_param"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_refuses(body: bytes, want: str, want_param: str | None) -> None:
    found = read_body(body)
    assert isinstance(found, BadBody)
    assert want in found.message
    assert found.param == want_param


@given(st.binary(max_size=200))
def test_no_bytes_do_anything_but_be_refused_or_read(body: bytes) -> None:
    assert isinstance(read_body(body), Asked | BadBody)
    assert isinstance(read_body(b'{"model":"a","x":' + body), Asked | BadBody)


def test_a_longer_body_is_a_longer_prompt() -> None:
    short, long = asked(b'{"model":"a","prompt":"x"}'), asked(b'{"model":"a","prompt":"%b"}' % (b"x" * 4000))
    assert 990 < long.prompt_tokens - short.prompt_tokens < 1010
    assert short.prompt_tokens > 0
