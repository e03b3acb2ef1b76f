"""How much is measured: the whole benchmark by default, less for a look (`make bench NAME=gateway DATA="runs=1"`)."""

from dataclasses import dataclass, fields, replace
from typing import Final

from tests.benchmarks.controller.settings import SettingsError

VLLM_ROUTER: Final = "vllm-router"
SGLANG_ROUTER: Final = "sglang-router"
SMG: Final = "smg"
LITELLM: Final = "litellm"
HAPROXY: Final = "haproxy"
PEERS: Final = (HAPROXY, VLLM_ROUTER, SGLANG_ROUTER, SMG, LITELLM)
RUST_ROUTERS: Final = (VLLM_ROUTER, SGLANG_ROUTER, SMG)
PARTS: Final = ("throughput", "latency", "streams", "tls", "overload", "sharded", "large", "core", "hour")


@dataclass(frozen=True, slots=True)
class Settings:
    """`runs` of each measurement, `seconds` each, with `connections` of clients. `peers` may be none.

    `parts`: those of `PARTS` that are measured. `models` share the gateway, and the clients ask for each in turn;
    `services` are in the configuration of the large one. `hour_minutes` of the mixed trace are played in virtual time.
    """

    runs: int = 5
    seconds: int = 2
    connections: int = 64
    models: int = 12
    services: int = 1000
    hour_minutes: int = 60
    peers: tuple[str, ...] = PEERS
    parts: tuple[str, ...] = PARTS

    def __post_init__(self) -> None:
        for name, given, known in (("peers", self.peers, PEERS), ("parts", self.parts, PARTS)):
            if unknown := {*given} - {*known}:
                raise SettingsError(f"{name} {sorted(unknown)}: give some of {','.join(known)}")
        if min(self.runs, self.seconds, self.connections, self.models, self.services, self.hour_minutes) < 1:
            raise SettingsError("runs, seconds, connections, models, services and hour_minutes: give at least 1")


def settings_of(data: str) -> Settings:
    """Settings from words such as "runs=1 peers=haproxy parts=throughput". Raises SettingsError naming the word."""
    kinds = {field.name: type(field.default) for field in fields(Settings)}
    given: dict[str, object] = {}
    for word in data.split():
        name, separator, value = word.partition("=")
        if not separator or name not in kinds:
            raise SettingsError(f"DATA {word!r}: give words name=value of {', '.join(kinds)}")
        if kinds[name] is tuple:
            given[name] = tuple(each for each in value.split(",") if each)
        elif value.isdecimal():
            given[name] = int(value)
        else:
            raise SettingsError(f"DATA {word!r}: give a number")
    return replace(Settings(), **given)  # type: ignore[arg-type]
