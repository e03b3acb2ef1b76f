"""What the judges find."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Violation:
    """`invariant`: its number in the design, 1 to 8; `at`: when, seconds of the machine's date."""

    invariant: int
    at: float
    objects: tuple[str, ...]
    text: str

    def __str__(self) -> str:
        return f"invariant {self.invariant}: {self.text}"
