"""Pod templates as people write them, brought to the form in which the API server stores them. No I/O."""

from typing import Any

#: Maps of quantities, wherever they stand in a pod's spec.
_QUANTITIES = frozenset({"requests", "limits", "overhead"})


def as_stored(spec: dict[str, Any]) -> dict[str, Any]:
    """A pod's spec without nulls, which mean the same as fields left out, and with its quantities as texts.

    YAML reads `cpu: 2` as a number and the `nodeSelector:` of a rendered chart as null; the API server takes both.
    """
    return {name: _stored(value, name) for name, value in spec.items() if value is not None}


def _stored(value: Any, name: str) -> Any:
    match value:
        case dict() if name in _QUANTITIES:
            return {resource: _text(amount) for resource, amount in value.items() if amount is not None}
        case dict():
            return as_stored(value)
        case list():
            return [_stored(item, "") for item in value]
        case _:
            return value


def _text(amount: Any) -> Any:
    return str(amount) if isinstance(amount, int | float) and not isinstance(amount, bool) else amount
