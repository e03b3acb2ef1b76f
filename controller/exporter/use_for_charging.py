"""How long services held partitions of a node, and of how much memory: what use is charged by.

A service's seconds count from the moment it is seen to hold a partition to the moment it is seen not to, each partition
for itself, whatever is done with it. They begin at 0 when this process does. A service that holds nothing any more is
told a while longer, so that its last seconds are collected, and then ends.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from controller.exporter.partition_metrics import Row
from controller.gpu.figures import Holding
from controller.telemetry.bounds import MOST_SERVICES, OTHER

KEPT_SECONDS = 300.0
"""How long a service is told after its last partition: several collections, whatever their interval."""
NEW_SECONDS = 15.0
"""For how long a new account is told as 0: one usual interval, in which everybody who collects has seen it once."""

_Service = tuple[str, str, str]
_OTHERS: _Service = (OTHER, OTHER, OTHER)


@dataclass(slots=True)
class _Account:
    """Of one service. `seconds` of partitions, and `byte_seconds`, None before the size of one of them was known.

    `partitions` and `bytes`: what it holds now. `ended`: since when it holds nothing, None while it holds something.
    `told`: when it was collected first, None before.
    """

    seconds: float = 0.0
    byte_seconds: float | None = None
    partitions: int = 0
    bytes: int = 0
    ended: float | None = None
    told: float | None = None


class UseForCharging:
    """The accounts of one node. Times are of one monotonic clock, in seconds, and never go back.

    `most` services are told apart. One that comes while so many are told is counted among the others for as long as
    it holds something then: an account is never moved, so that none ever falls.
    """

    def __init__(self, node: str, *, most: int = MOST_SERVICES) -> None:
        self._node = node
        self._most = most
        self._accounts: dict[_Service, _Account] = {}
        self._settled: float | None = None

    def hold(self, now: float, holdings: Iterable[Holding]) -> None:
        """These hold partitions from now on, one entry for each; until now it was those of the last call."""
        self.settle(now)
        partitions: Counter[_Service] = Counter()
        sizes: Counter[_Service] = Counter()
        for holding in holdings:
            service = self._account_of((holding.namespace, holding.service, holding.model))
            account = self._accounts.setdefault(service, _Account())
            partitions[service] += 1
            if holding.bytes is not None:
                sizes[service] += holding.bytes
                account.byte_seconds = account.byte_seconds or 0.0
        for service, account in self._accounts.items():
            account.partitions, account.bytes = partitions[service], sizes[service]
            if account.partitions:
                account.ended = None
            elif account.ended is None:
                account.ended = now

    def settle(self, now: float) -> None:
        """Count the time until now; accounts that ended long ago are forgotten."""
        passed = now - (now if self._settled is None else self._settled)
        self._settled = now
        for account in self._accounts.values():
            account.seconds += passed * account.partitions
            if account.byte_seconds is not None:
                account.byte_seconds += passed * account.bytes
        self._accounts = {
            service: account
            for service, account in self._accounts.items()
            if account.ended is None or now - account.ended < KEPT_SECONDS
        }

    def collect(self, now: float) -> None:
        """Count the time until now, to tell it. An account that was told for the first time just now is told as 0 yet:
        whoever adds up what a series has grown by would else never see what it begins with.
        """
        self.settle(now)
        for account in self._accounts.values():
            account.told = now if account.told is None else account.told

    def partition_rows(self) -> Iterator[Row]:
        """Seconds of partitions by service. For USAGE_PARTITION_SECONDS."""
        for service, account in self._accounts.items():
            yield (self._node, *service), 0.0 if self._new(account) else account.seconds

    def byte_rows(self) -> Iterator[Row]:
        """Seconds times bytes by service, of those that held a partition of known size. For USAGE_BYTE_SECONDS."""
        for service, account in self._accounts.items():
            if account.byte_seconds is not None:
                yield (self._node, *service), 0.0 if self._new(account) else account.byte_seconds

    def _new(self, account: _Account) -> bool:
        return account.told is not None and self._settled is not None and self._settled - account.told < NEW_SECONDS

    def _account_of(self, service: _Service) -> _Service:
        told = len(self._accounts) - (_OTHERS in self._accounts)
        return service if service in self._accounts or told < self._most else _OTHERS
