"""What of the benchmark can be asked for: the words of DATA."""

from dataclasses import dataclass
from typing import Final

from tests.benchmarks.words import settings_of_words

_MAY_BE_ZERO: Final = frozenset({"floor", "held"})


@dataclass(frozen=True, slots=True)
class Settings:
    """Simulated `nodes` of 64 partitions each; `pods` that come at once, and `singles` one after the other before.

    `clients`: how many create the pods of a burst, each one after the other. `floor` 0 leaves out what the machine does
    without us. `held`: nodes of the part that looks at the operator at rest, 0 leaves it out; `held_pods` are bound on
    them. `minutes`: how long each part may take.
    """

    nodes: int = 100
    pods: int = 1_000
    singles: int = 40
    clients: int = 16
    floor: int = 1
    held: int = 1_000
    held_pods: int = 200
    minutes: int = 15

    @property
    def limit(self) -> float:
        """Seconds that a part may take."""
        return 60.0 * self.minutes


def settings_of(data: str) -> Settings:
    """Words like `nodes=4 pods=200`. Raises SettingsError, naming the word and what is there."""
    return settings_of_words(Settings(), data, _MAY_BE_ZERO)
