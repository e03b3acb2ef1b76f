"""One requirement of a selector, on labels of nodes or pods."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Expression:
    """One requirement of a node or label selector; `key` is a label, or `metadata.name` for a field of a node."""

    key: str
    operator: str
    values: tuple[str, ...] = ()
    on_field: bool = False
