"""OpenAI's requests as an engine reads them, and its answers. Pure.

Only what an engine needs to make an answer of the right shape and length is read; other fields may have any value.
"""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

import msgspec

CHARACTERS_A_TOKEN: Final = 4
"""A rule of thumb for English: a simulated engine has no tokenizer."""

MOST_CHOICES: Final = 4096
"""vLLM's own bound on `n` is of this order."""

_WORDS: Final = ("No", "model", "ran:", "these", "words", "are", "simulated,", "one", "for", "each", "token.")


class Task(StrEnum):
    """What is asked for; the value is what OpenAI calls an answer's `object`."""

    CHAT = "chat.completion"
    COMPLETION = "text_completion"
    EMBEDDING = "list"
    RERANK = "rerank"


class StreamOptions(msgspec.Struct):
    """`stream_options` of a request."""

    include_usage: bool = False


class Body(msgspec.Struct):
    """The fields of any request that an engine looks at; absent ones are None."""

    model: str | None = None
    messages: list[Any] | None = None
    prompt: Any = None
    input: Any = None
    query: str | None = None
    documents: list[Any] | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    priority: int = 0
    n: int | None = None
    best_of: int | None = None


class BadRequest(ValueError):
    """A request that an engine refuses; `status` is HTTP's, the text is for whoever asked."""

    def __init__(self, problem: str, status: int = 400, kind: str = "BadRequestError") -> None:
        super().__init__(problem)
        self.status = status
        self.kind = kind


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that was understood. `prompts`: texts to complete or embed, documents to rank; `choices` of each.

    As in vLLM, each choice of each prompt is a sequence of its own, and takes a seat. `prompt_tokens` and
    `output_tokens` are of one sequence.
    """

    task: Task
    model: str
    prompt_tokens: int
    output_tokens: int
    stream: bool = False
    include_usage: bool = False
    priority: int = 0
    prompts: int = 1
    choices: int = 1

    @property
    def sequences(self) -> int:
        """How many are made at once."""
        return self.prompts * self.choices


_NEEDED: Final = {Task.CHAT: "messages", Task.COMPLETION: "prompt", Task.EMBEDDING: "input", Task.RERANK: "documents"}


def read(task: Task, body: bytes, default_output_tokens: int) -> Asked:
    """What a body asks for. Raises BadRequest."""
    try:
        found = msgspec.json.decode(body, type=Body)
    except msgspec.MsgspecError as error:
        raise BadRequest(f"the body cannot be read: {error}") from error
    field = _NEEDED[task]
    value = getattr(found, field)
    if value is None:
        raise BadRequest(f"{field} is missing: {task.name.lower()} needs it")
    if found.model is None:
        raise BadRequest("model is missing: name the model to use")
    wanted = found.max_completion_tokens if found.max_completion_tokens is not None else found.max_tokens
    if wanted is not None and wanted < 1:
        raise BadRequest(f"max_tokens {wanted} is below 1: ask for 1 or more, or leave it out")
    makes_words = task in (Task.CHAT, Task.COMPLETION)
    output = (default_output_tokens if wanted is None else wanted) if makes_words else 0
    choices = _choices(found) if makes_words else 1
    if not 1 <= choices <= MOST_CHOICES:
        raise BadRequest(f"n {choices} is not between 1 and {MOST_CHOICES}: ask for fewer choices")
    prompts = 1 if task is Task.CHAT else _prompts(value)
    text = msgspec.json.encode((value, found.query))
    return Asked(
        task,
        found.model,
        prompt_tokens=max(1, len(text) // CHARACTERS_A_TOKEN // prompts),
        output_tokens=output,
        stream=bool(found.stream) and makes_words,
        include_usage=found.stream_options is not None and found.stream_options.include_usage,
        priority=found.priority,
        prompts=prompts,
        choices=choices,
    )


def _choices(body: Body) -> int:
    """How many are made of each prompt, whoever they are chosen from."""
    wanted = 1 if body.n is None else body.n
    return wanted if body.best_of is None else max(wanted, body.best_of)


def _prompts(value: Any) -> int:
    """How many a prompt or input is: one text, one list of tokens, or a list of either. Raises BadRequest."""
    if not isinstance(value, list) or (value and isinstance(value[0], int)):
        return 1
    if not value:
        raise BadRequest("the list of prompts is empty: give one or more")
    return len(value)


def words(first: int, count: int) -> str:
    """The text of `count` tokens from number `first` on: a word each."""
    taken = itertools.islice(itertools.cycle(_WORDS), first % len(_WORDS), first % len(_WORDS) + count)
    return "".join(f"{word} " for word in taken)


def usage(asked: Asked) -> dict[str, int]:
    """`usage` of a complete answer."""
    read, made = asked.prompt_tokens * asked.prompts, asked.output_tokens * asked.sequences
    return {"prompt_tokens": read, "completion_tokens": made, "total_tokens": read + made}


def answer(asked: Asked, name: str, created: int) -> bytes:
    """The whole answer. `created`: seconds since 1970."""
    head = {"id": name, "object": asked.task.value, "created": created, "model": asked.model}
    if asked.task is Task.EMBEDDING:
        data = [{"object": "embedding", "index": index, "embedding": [0.0, 1.0]} for index in range(asked.prompts)]
        return msgspec.json.encode(head | {"data": data, "usage": usage(asked)})
    if asked.task is Task.RERANK:
        ranks = [{"index": index, "relevance_score": 1.0 / (index + 1)} for index in range(asked.prompts)]
        return msgspec.json.encode(head | {"results": ranks, "usage": usage(asked)})
    text = words(0, asked.output_tokens)
    made = {"message": {"role": "assistant", "content": text}} if asked.task is Task.CHAT else {"text": text}
    choices = [{"index": index, **made, "finish_reason": "length"} for index in range(asked.sequences)]
    return msgspec.json.encode(head | {"choices": choices, "usage": usage(asked)})


def chunks(asked: Asked, name: str, created: int, first: int, count: int, *, last: bool) -> Iterator[bytes]:
    """Events of a stream for `count` tokens from number `first` on; with the `last` ones its end."""
    kind = "chat.completion.chunk" if asked.task is Task.CHAT else asked.task.value
    head = {"id": name, "object": kind, "created": created, "model": asked.model}
    for number in range(first, first + count):
        reason = "length" if last and number == first + count - 1 else None
        text = words(number, 1)
        made: dict[str, Any] = {"delta": {"content": text}} if asked.task is Task.CHAT else {"text": text}
        if asked.task is Task.CHAT and number == 0:
            made["delta"]["role"] = "assistant"
        for index in range(asked.sequences):
            yield _event(head | {"choices": [{"index": index, **made, "finish_reason": reason}]})
    if last and asked.include_usage:
        yield _event(head | {"choices": [], "usage": usage(asked)})
    if last:
        yield b"data: [DONE]\n\n"


def error(problem: BadRequest) -> bytes:
    """A refusal as OpenAI's clients read it."""
    told = {"message": str(problem), "type": problem.kind, "param": None, "code": problem.status}
    return msgspec.json.encode({"error": told})


def _event(document: dict[str, Any]) -> bytes:
    return b"data: " + msgspec.json.encode(document) + b"\n\n"
