import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from controller.gateway.body import Asked, read_body
from controller.gateway.splice import Splicer


def spliced(body: bytes, priority: int | None = None, model: str | None = None) -> bytes:
    asked = read_body(body)
    assert isinstance(asked, Asked)
    return Splicer(priority, model).splice(body, asked)


ROWS = [
    ("nothing to set", b' {"model": "a"} ', None, b' {"model": "a"} '),
    ("a priority", b'{"model": "a"}', 2, b'{"priority":2,"model": "a"}'),
    (
        "the usage of a stream",
        b'{"model":"a","stream":true}',
        None,
        b'{"stream_options":{"include_usage":true},"model":"a","stream":true}',
    ),
    ("space before", b'\r\n {"model":"a"}', 0, b'{"priority":0,"model":"a"}'),
    (
        "options without a stream, which are the engine's to refuse",
        b'{"model":"a","stream_options":{}}',
        None,
        b'{"model":"a","stream_options":{}}',
    ),
    ("a client's priority, for an engine that takes none", b'{"model":"a","priority":-9}', None, b'{"model":"a"}'),
    (
        "a client's priority",
        b'{"priority":-9,"model":"a","x": [1.0, 1e400]}',
        1,
        b'{"model":"a","x":[1.0, 1e400],"priority":1}',
    ),
    (
        "a client's priority that comes twice",
        b'{"priority":1,"model":"a","priority":-9}',
        1,
        b'{"model":"a","priority":1}',
    ),
    ("a client's priority that is disguised", rb'{"model":"a","\u0070riority":-9}', 1, b'{"model":"a","priority":1}'),
    (
        "a client's options",
        b'{"model":"a","stream":true,"stream_options":{"include_usage":false,"y":1.0}}',
        None,
        b'{"model":"a","stream":true,"stream_options":{"include_usage":true,"y":1.0}}',
    ),
    (
        "options of null",
        b'{"model":"a","stream":true,"stream_options":null}',
        None,
        b'{"model":"a","stream":true,"stream_options":{"include_usage":true}}',
    ),
]


@pytest.mark.parametrize(("body", "priority", "want"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])
def test_sets(body: bytes, priority: int | None, want: bytes) -> None:
    assert spliced(body, priority) == want


@pytest.mark.parametrize(
    ("model", "want"),
    [
        (None, b'{"model":"team-a/chat","x": 1.0}'),
        ("team-a/chat", b'{"model":"team-a/chat","x": 1.0}'),
        ("org/\u00e4", '{"model":"org/\u00e4","x":1.0}'.encode()),
    ],
    ids=["none", "the same", "another"],
)
def test_an_engine_hears_the_name_it_knows(model: str | None, want: bytes) -> None:
    assert spliced(b'{"model":"team-a/chat","x": 1.0}', model=model) == want


def test_a_model_that_comes_twice_is_said_once() -> None:
    assert spliced(b'{"model":"a","model":"b"}', model="org/b") == b'{"model":"org/b"}'


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-5, 5)
    | st.text(max_size=5)
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
OPTIONS = st.none() | st.dictionaries(st.sampled_from(["include_usage", "y"]), VALUES)
BODIES = st.builds(
    lambda base, more: {"model": "a"} | more | base,
    st.fixed_dictionaries({}, optional={"stream": st.booleans(), "priority": VALUES, "stream_options": OPTIONS}),
    st.dictionaries(
        st.text(max_size=6).filter(lambda name: name not in ("model", "n", "max_tokens", "stream")), VALUES, max_size=4
    ),
)


@given(BODIES, st.none() | st.integers(0, 9), st.booleans(), st.booleans())
def test_the_two_fields_are_set_and_nothing_else_changes(
    body: dict[str, Any], priority: int | None, ascii_only: bool, indented: bool
) -> None:
    sent = json.dumps(body, ensure_ascii=ascii_only, indent=2 if indented else None).encode("utf-8", "surrogatepass")
    want = {name: value for name, value in body.items() if name != "priority"}
    if priority is not None:
        want["priority"] = priority
    if body.get("stream"):
        want["stream_options"] = (body.get("stream_options") or {}) | {"include_usage": True}
    got: list[tuple[str, Any]] = json.loads(spliced(sent, priority), object_pairs_hook=list)
    names = [name for name, _ in got]
    assert len(names) == len(set(names))
    assert json.loads(spliced(sent, priority)) == want


@given(st.binary(max_size=30), st.binary(max_size=30))
@example(b"\x80", b"1")
@example(rb"\ud800", b"1")
@example(b"x", b'{"\x80":1}')
def test_whatever_is_accepted_can_be_rewritten(name: bytes, value: bytes) -> None:
    for body in (
        b'{"model":"a","priority":1,"%b":%b}' % (name, value),
        b'{"%b":%b,"model":"a","priority":1}' % (name, value),
        b'{"model":"a","stream":true,"stream_options":{"%b":%b}}' % (name, value),
    ):
        asked = read_body(body)
        if isinstance(asked, Asked):
            assert read_body(Splicer(1, "b").splice(body, asked)) is not None


def behind(calls: int, body: bytes, asked: Asked) -> bytes:
    """Rewrites a body behind so many more calls."""
    return behind(calls - 1, body, asked) if calls else Splicer(1, "b").splice(body, asked)


DEEP = [
    ("a priority", b'"priority":1,', b'"priority":1'),
    ("options", b'"stream":true,"stream_options":{},', b'"include_usage":true'),
    ("another name of the model", b"", b'"priority":1'),
]


@pytest.mark.parametrize("opening", ["[", '{"a":'])
@pytest.mark.parametrize(("fields", "want"), [row[1:] for row in DEEP], ids=[row[0] for row in DEEP])
def test_what_is_accepted_can_be_rewritten_behind_more_calls(fields: bytes, want: bytes, opening: str) -> None:
    closing = {"[": "]", '{"a":': "}"}[opening]
    accepted = 0
    for depth in range(100, 1100, 3):
        body = b'{"model":"a",%b"x":%b1%b}' % (fields, opening.encode() * depth, closing.encode() * depth)
        asked = read_body(body)
        if isinstance(asked, Asked):
            accepted += 1
            assert want in behind(50, body, asked)
    assert 100 < accepted < 330


def test_a_long_body_is_copied_once_and_not_read_again() -> None:
    body = b'{"model":"a","prompt":"%b"}' % (b"\\u00e4" * 100_000)
    assert spliced(body, 1) == b'{"priority":1,' + body[1:]
