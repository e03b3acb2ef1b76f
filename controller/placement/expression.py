"""One requirement of a selector, on labels of nodes or pods."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Expression:
    """One requirement of a node or label selector; `key` is a label, or `metadata.name` for a field of a node."""

    key: str
    operator: str
    values: tuple[str, ...] = ()
    on_field: bool = False


def value_matches(expression: Expression, actual: str | None) -> bool | None:
    """Kubernetes' rule for the operators that all selectors have, `actual` None: no such label. None: another one."""
    match expression.operator:
        case "In":
            return actual in expression.values
        case "NotIn":
            return actual not in expression.values
        case "Exists":
            return actual is not None
        case "DoesNotExist":
            return actual is None
        case _:
            return None
