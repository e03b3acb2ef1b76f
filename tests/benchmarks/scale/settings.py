"""What of the benchmark can be asked for: the words of DATA."""

from dataclasses import dataclass
from typing import Final

from tests.benchmarks.controller.settings import SettingsError
from tests.benchmarks.words import settings_of_words

PARTITIONS: Final = 64
"""Of a node: eight GPUs in CPX."""
QUARTERS: Final = 4
_MAY_BE_ZERO: Final = frozenset({"churn", "restart"})


@dataclass(frozen=True, slots=True)
class Settings:
    """Simulated `nodes` of 64 partitions; `pods` that are there at once when all have come.

    They come by owners of `owner` pods each, at most `wave` on their way at a time. Then as many as `churn` says end,
    a wave at a time, while others take their places; 0 leaves that out, `restart` 0 the operator's. `rest`: seconds
    that are looked at while nothing happens. `minutes`: how long all may take.
    """

    nodes: int = 1_000
    pods: int = 20_000
    owner: int = 20
    wave: int = 500
    churn: int = 1_000
    restart: int = 1
    rest: int = 30
    minutes: int = 150

    def __post_init__(self) -> None:
        if self.pods > self.nodes * PARTITIONS:
            raise SettingsError(
                f"pods={self.pods}: {self.nodes} nodes have {self.nodes * PARTITIONS} partitions; give fewer, or more nodes"
            )
        if not self.owner <= self.wave <= self.pods // QUARTERS:
            raise SettingsError(
                f"wave={self.wave}: give at least owner={self.owner}, and at most a quarter of pods={self.pods}"
            )

    @property
    def limit(self) -> float:
        """Seconds that all may take."""
        return 60.0 * self.minutes

    def owners(self, pods: int) -> int:
        """Owners that so many pods take."""
        return -(-pods // self.owner)


def settings_of(data: str) -> Settings:
    """Words like `nodes=100 pods=1000 wave=250`. Raises SettingsError, naming what is wrong and what can be given."""
    return settings_of_words(Settings(), data, _MAY_BE_ZERO)
