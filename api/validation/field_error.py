"""What is wrong with one field."""

from dataclasses import dataclass
from typing import Final

INVALID: Final = "FieldValueInvalid"
"""The value cannot be meant; Kubernetes' own word in the causes of a refusal."""


@dataclass(frozen=True, slots=True)
class FieldError:
    """One broken rule.

    ``path`` is the field as the API server writes it, e.g. ``spec.quotas[0].min``; ``reason`` one of Kubernetes' words
    for causes; ``message`` a sentence with the value and what to write instead.
    """

    path: str
    reason: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}"
