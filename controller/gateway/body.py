"""What a request's body asks for: the few fields that decide where it goes and what it costs. Pure.

One decoding, into a Struct with these fields alone; everything else is passed over, and is the engine's to judge.
"""

from dataclasses import dataclass
from typing import Annotated

import msgspec

BYTES_PER_TOKEN = 4
"""Of a JSON body, on average: what published tokenizers make of English text, brackets and names of fields included.
It orders requests until the engine has counted, so what matters is that it is the same for all."""

_Count = Annotated[int, msgspec.Meta(ge=0, le=1 << 31)]
_Choices = Annotated[int, msgspec.Meta(ge=1, le=4096)]


class _Body(msgspec.Struct):
    model: str
    stream: bool | None = None
    max_tokens: _Count | None = None
    max_completion_tokens: _Count | None = None
    n: _Choices | None = None
    best_of: _Choices | None = None
    prompt: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    priority: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    stream_options: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


class Asked(msgspec.Struct, frozen=True, gc=False):
    """What a body asks for. Not a dataclass, for one is made a request, and a frozen one costs 0.6 us to fill.

    `prompt_tokens` is an estimate from its length; `output_limit` the tokens of all its answers together at most, None
    when it sets no limit. `sequences` is how many an engine generates for it at once: its prompts, each as often as it
    wants choices. `sets_priority` and `sets_stream_options` say that the client wrote these fields itself.
    """

    model: str
    stream: bool
    prompt_tokens: int
    output_limit: int | None
    sets_priority: bool
    sets_stream_options: bool
    sequences: int = 1


@dataclass(frozen=True, slots=True)
class BadBody:
    """Why a body is refused: a sentence with field and remedy, and the field alone where there is one."""

    message: str
    param: str | None = None


_decode = msgspec.json.Decoder(_Body).decode
_decode_list = msgspec.json.Decoder(list[msgspec.Raw]).decode

_SPARE = 64
"""Levels by which a body that will be rewritten could be nested deeper still: it is decoded again then, behind more
calls than now, and what is accepted here must not be too deep there."""
_UNSET = msgspec.UNSET


def read_body(body: bytes) -> Asked | BadBody:
    """Reads a body of JSON. Never raises for what a client sent."""
    try:
        found = _decode(body)
        # A decoder into few fields passes over the names of others as they are; one that rewrites a body does not.
        body.isascii() or body.decode()
        sets_priority, sets_options = found.priority is not _UNSET, found.stream_options is not _UNSET
        if sets_priority or sets_options:
            _decode_list(b"[" * _SPARE + body + b"]" * _SPARE)
    except msgspec.ValidationError as error:
        return _of_a_field(str(error))
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return BadBody(f"the body is no JSON: {error}; send one JSON object")
    except RecursionError:
        return BadBody("the body is nested too deeply: send one JSON object with fewer brackets in each other")
    limit = found.max_completion_tokens if found.max_completion_tokens is not None else found.max_tokens
    sequences = 1
    if found.n is not None or found.best_of is not None or found.prompt is not msgspec.UNSET:
        try:
            sequences = max(found.n or 1, found.best_of or 1) * _prompts(found.prompt)
        except msgspec.ValidationError:
            return BadBody("prompt is not what it has to be: write a text, tokens, or a list of either", "prompt")
    return Asked(
        found.model,
        found.stream is True,
        len(body) // BYTES_PER_TOKEN + 1,
        limit * sequences if limit is not None else None,
        sets_priority,
        sets_options,
        sequences,
    )


def _prompts(prompt: msgspec.Raw | msgspec.UnsetType) -> int:
    """How many prompts there are: one text, the tokens of one, or a list of either."""
    if isinstance(prompt, msgspec.UnsetType) or bytes(memoryview(prompt)[:1]) != b"[":
        return 1
    parts = _decode_list(prompt)
    several = len(parts) > 1 and bytes(memoryview(parts[0])[:1]) in (b'"', b"[", b"{")
    return len(parts) if several else 1


def _of_a_field(error: str) -> BadBody:
    """A value of the wrong type, which the error places as "$.field"."""
    _, _, place = error.partition(" - at `$.")
    param = place.rstrip("`") or None
    if param is None and "required field `" in error:
        param = error.partition("required field `")[2].rstrip("`")
        return BadBody(f"the body has no {param}: add the field {param}", param)
    what = error.partition(" - at ")[0]
    return BadBody(f"{param or 'the body'} is not what it has to be: {what[:1].lower()}{what[1:]}", param)
