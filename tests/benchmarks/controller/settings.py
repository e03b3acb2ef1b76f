"""How much is measured: the whole benchmark by default, less for a look (`make bench NAME=controller DATA="runs=1"`)."""

from dataclasses import dataclass, fields, replace

CONTROLLER_RUNTIME = "controller-runtime"
KOPF = "kopf"
PEERS = (CONTROLLER_RUNTIME, KOPF)
SHARED = "shared"
"""Controller, API server and harness on all cores."""
PINNED = "pinned"
"""The controller alone on the last core, everything else on the others."""


class SettingsError(ValueError):
    """A setting that cannot be; the text names it and the remedy."""


@dataclass(frozen=True, slots=True)
class Settings:
    """`runs` of each measurement. `sizes`: objects of the throughput runs on all processors, `pinned_sizes` of those with
    the controller on one of its own; kopf takes part up to `kopf_size`.

    `changes` of objects at `rate` a second in a latency run; `pods` in the memory runs, whose processes are looked at
    `settle_seconds` after their sync: Go collects an idle heap every two minutes. `peers` may be none.
    """

    runs: int = 5
    sizes: tuple[int, ...] = (1000, 5000, 10_000)
    pinned_sizes: tuple[int, ...] = (5000,)
    peers: tuple[str, ...] = PEERS
    kopf_size: int = 1000
    changes: int = 1000
    rate: int = 200
    pods: int = 10_000
    settle_seconds: int = 130
    workers: int = 32

    def __post_init__(self) -> None:
        if unknown := {*self.peers} - {*PEERS}:
            raise SettingsError(f"peers {sorted(unknown)}: give some of {PEERS}, or none")
        if not self.sizes:
            raise SettingsError("sizes: give at least one")
        if min(self.runs, *self.sizes, *self.pinned_sizes, self.changes, self.rate, self.workers) < 1:
            raise SettingsError("runs, sizes, changes, rate and workers: give at least 1")


_NUMBERS = {"sizes", "pinned_sizes"}


def settings_of(data: str) -> Settings:
    """Settings from words such as "runs=1 sizes=200,1000 peers=". Raises SettingsError naming the word."""
    kinds = {field.name: type(field.default) for field in fields(Settings)}
    given: dict[str, object] = {}
    for word in data.split():
        name, separator, value = word.partition("=")
        if not separator or name not in kinds:
            raise SettingsError(f"DATA {word!r}: give words name=value of {sorted(kinds)}")
        try:
            given[name] = _sequence(name, value) if kinds[name] is tuple else int(value)
        except ValueError as error:
            raise SettingsError(f"DATA {word!r}: give a number, or numbers between commas") from error
    return replace(Settings(), **given)  # type: ignore[arg-type]


def _sequence(name: str, value: str) -> tuple[int, ...] | tuple[str, ...]:
    words = tuple(word for word in value.split(",") if word)
    return tuple(int(word) for word in words) if name in _NUMBERS else words
