"""What is set on a body's way to an engine: `priority`, `stream_options.include_usage` and the model's own name. Pure.

An engine knows its model by one name, and a client may have written another one of the service's; then that is set too.
Otherwise a body passes byte for byte. What is set goes in front, after the opening brace, where the client has not
written the field itself. Where it has, its value is replaced and every other value stays as its bytes: a field that
comes twice would be read as the first by one parser and as the last by another.
"""

import msgspec

from controller.gateway.body import Asked

_USAGE = b'"stream_options":{"include_usage":true}'
_decode_object = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_encode = msgspec.json.Encoder().encode


class Splicer:
    """Sets the fields for one class of requests; made once a class and kind of engine.

    `priority` is the number an engine orders by, the lowest first; None for engines that take none, which then are
    told none by clients either. `model` is the name that engines know; None leaves the client's.
    """

    __slots__ = ("_fronts", "_model", "_priority")

    def __init__(self, priority: int | None, model: str | None = None) -> None:
        self._priority = priority
        self._model = model
        ranked = b"" if priority is None else b'"priority":%d' % priority
        both = b",".join(part for part in (ranked, _USAGE) if part)
        self._fronts = tuple(b"{%b," % front if front else b"{" for front in (ranked, both))

    def splice(self, body: bytes, asked: Asked) -> bytes:
        """The body as the engine gets it. `asked` is what `read_body` made of this very body."""
        model = self._model
        if asked.sets_priority or (asked.stream and asked.sets_stream_options):
            return self._replaced(body, asked)
        if model is not None and model != asked.model:
            try:
                return self._replaced(body, asked)
            except (
                RecursionError
            ):  # nested almost too deeply to be read at all: the engine refuses the name, and no harm is done
                pass
        front = self._fronts[asked.stream]
        if len(front) == 1:
            return body
        return front + body[body.index(b"{") + 1 :]

    def _replaced(self, body: bytes, asked: Asked) -> bytes:
        fields = _decode_object(body)
        if asked.stream:
            fields["stream_options"] = msgspec.Raw(_with_usage(fields.get("stream_options")))
        if self._model is not None:
            fields["model"] = msgspec.Raw(_encode(self._model))
        fields.pop("priority", None)
        if self._priority is not None:
            fields["priority"] = msgspec.Raw(b"%d" % self._priority)
        return _encode(fields)


def _with_usage(options: msgspec.Raw | None) -> bytes:
    """The stream's options with the usage asked for, and the client's others as they were."""
    try:
        found = _decode_object(options) if options is not None else {}
    except msgspec.ValidationError:  # null, or nothing that options could be
        found = {}
    found["include_usage"] = msgspec.Raw(b"true")
    return _encode(found)
