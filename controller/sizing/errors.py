"""What can be wrong with a sizing request.

::

    SizingError                 .field .value .remedy
    ├── UnknownModel            no facts under that exact id; .nearest
    ├── UnknownFacts            a known id whose facts nobody found
    ├── UnsupportedPrecision    the model has not got it; .available
    ├── LengthTooLong           longer than the model's positions; .limit
    ├── NotDivisible            so many ranks cannot share the model; .possible
    └── OutOfRange              a number that cannot be meant
"""

_SHOWN = 100
"""Characters of a value that a message repeats; ids of models have half as many."""


def shortened(text: str) -> str:
    """A text for a message: itself, or how it begins where it is long."""
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."


def shown(value: object) -> str:
    """A value for a message, a text in quotes."""
    return repr(shortened(value)) if isinstance(value, str) else shortened(repr(value))


class SizingError(ValueError):
    """A request that cannot be sized. ``field`` is the request's field, ``remedy`` what to write instead."""

    def __init__(self, field: str, value: object, problem: str, remedy: str) -> None:
        super().__init__(f"{field} {shown(value)} {problem}: {remedy}")
        self.field = field
        self.value = value
        self.problem = problem
        self.remedy = remedy


class UnknownModel(SizingError):
    """No facts are known under that exact id. ``nearest`` holds similar ids, the most similar first."""

    def __init__(self, model_id: str, nearest: tuple[str, ...]) -> None:
        hint = f"did you mean {' or '.join(nearest)}?" if nearest else "use an id of the catalogue, as owner/name"
        super().__init__("model_id", model_id, "is not in the catalogue", hint)
        self.nearest = nearest


class UnknownFacts(SizingError):
    """The id is known, and its facts are in no public place that was found."""

    def __init__(self, model_id: str) -> None:
        super().__init__(
            "model_id", model_id, "is known by name only, its shape is not", "give its config.json, or a ModelProfile"
        )


class UnsupportedPrecision(SizingError):
    """The model has not got that precision. ``available`` holds those it has, its native one first."""

    def __init__(self, model_id: str, precision: str, available: tuple[str, ...]) -> None:
        super().__init__(
            "precision",
            precision,
            f"is not available for {shortened(model_id)}",
            f"use auto or one of {', '.join(available)}",
        )
        self.available = available


class LengthTooLong(SizingError):
    """More tokens than the model has positions for. ``limit`` is that number."""

    def __init__(self, model_id: str, length: int, limit: int) -> None:
        problem = f"exceeds what {shortened(model_id)} was built for"
        super().__init__("max_model_len", length, problem, f"use at most {limit}")
        self.limit = limit


class NotDivisible(SizingError):
    """The model cannot be divided among so many ranks. ``possible`` holds all numbers of ranks that can."""

    def __init__(self, ranks: int, problem: str, possible: tuple[int, ...]) -> None:
        super().__init__("tensor_parallel", ranks, problem, f"use {_alternatives(possible)}")
        self.possible = possible


class OutOfRange(SizingError):
    """A number below or above anything sensible."""

    def __init__(self, field: str, value: int, least: int, most: int) -> None:
        super().__init__(field, value, "is out of range", f"use {least} to {most}")


def _alternatives(numbers: tuple[int, ...]) -> str:
    *most, last = map(str, numbers)
    return f"{', '.join(most)} or {last}" if most else last
