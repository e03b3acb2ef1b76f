"""Informers in, configurations out: each change of the cluster is worked in soon, and only what it concerns is.

    informers -> services that may have changed -> (a moment, in which more comes) -> their routes -> configuration

The moment bounds how often the gateway reloads, whatever somebody does to the cluster; many services are worked through
in pieces, between which requests are served.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import structlog

from controller.gateway.configuration import Endpoint, GatewayConfiguration, ServiceRoute
from controller.gateway.control.callers import Callers
from controller.gateway.control.key_secrets import KeySecrets
from controller.gateway.control.keys import keys_by_digest
from controller.gateway.control.members import Rejected
from controller.gateway.control.objects import (
    Claim,
    EnginePod,
    Policy,
    Service,
    ServiceSlice,
    kept,
    kept_of_pod,
    with_labels,
)
from controller.gateway.control.routing import (
    BY_POD,
    BY_SERVICE,
    Made,
    Routing,
    Stores,
    claim_pods,
    slice_pods,
    slice_services,
)
from controller.runtime.cache.informer import Informer
from controller.runtime.cache.store import StoreEvent
from controller.runtime.client.client import Client
from controller.runtime.client.core import ENDPOINT_SLICES, NAMESPACES, PODS
from controller.runtime.clock import Clock
from controller.runtime.objects.metadata import PartialObject
from controller.runtime.pod_addresses import AddressFile, AddressFileError, AsShown
from controller.state.kinds import GPU_PARTITION_CLAIMS, GPU_SHARING_POLICIES, INFERENCE_SERVICES

SETTLE_SECONDS: Final = 0.1
"""From a change to the reload at least: a rollout's dozens of events make a handful of reloads."""

LONGEST_SETTLE_SECONDS: Final = 2.0
PAUSE_TIMES: Final = 20
"""How many times as long as the last reload took the next one waits, up to the longest: requests wait while one is
made, and in a cluster of thousands of services it takes some hundredths of a second."""

AT_A_TIME: Final = 32
"""Routes made before the event loop gets its turn: under a millisecond."""

LOOK_SECONDS: Final = 0.25
"""Between two looks at a file of addresses."""

_LOGGED: Final = 20
"""Sentences logged of one reload: whoever makes a thousand bad objects gets no thousand lines."""


@dataclass(frozen=True, slots=True)
class WatchStatistics:
    """Services routed and engines found now, entries of slices that are no engines by reason, what was amiss;
    configurations given to the gateway since the start, and those that it refused."""

    services: int
    engines: int
    rejected: Mapping[str, int]
    problems: tuple[str, ...]
    reloads: int
    refused: int


class Watching:
    """Keeps a gateway's configuration current. `apply` takes each, and raises ValueError for one it cannot serve.

    `base` has what does not come from the cluster: limits, hosts, whether anybody may call. `keys` are the Secrets of
    API keys, `callers` is told of them. Runs after its `informers` are in sync.
    """

    def __init__(
        self,
        client: Client,
        clock: Clock,
        *,
        base: GatewayConfiguration,
        callers: Callers,
        keys: KeySecrets,
        apply: Callable[[GatewayConfiguration], None],
        addresses: AddressFile | None = None,
    ) -> None:
        self._clock, self._base, self._callers, self._keys, self._apply = clock, base, callers, keys, apply
        self._addresses = addresses
        self.services = Informer(client, INFERENCE_SERVICES, into=Service, project=kept, clock=clock)
        self._slices = Informer(
            client,
            ENDPOINT_SLICES,
            into=ServiceSlice,
            project=kept,
            indexes={BY_SERVICE: slice_services, BY_POD: slice_pods},
            clock=clock,
        )
        self._pods = Informer(client, PODS, into=EnginePod, project=kept_of_pod, clock=clock)
        self._claims = Informer(
            client, GPU_PARTITION_CLAIMS, into=Claim, project=kept, indexes={BY_POD: claim_pods}, clock=clock
        )
        self._policies = Informer(client, GPU_SHARING_POLICIES, into=Policy, project=kept, clock=clock)
        self._namespaces = Informer(client, NAMESPACES, into=PartialObject, project=with_labels, clock=clock)
        self._routing = Routing(
            Stores(
                self.services.store,
                self._slices.store,
                self._pods.store,
                self._claims.store,
                self._policies.store,
                self._namespaces.store,
            ),
            addresses or AsShown(),
        )
        self._made: dict[str, Made] = {}
        self._changed: set[str] = set()
        self._all_changed = True
        self._woken = asyncio.Event()
        self._reloads = self._refused = 0
        self._applied = asyncio.Event()
        self._told: dict[str, frozenset[str]] = {}
        self._log = structlog.get_logger(__name__)
        self._listen()

    def __str__(self) -> str:
        return "watch of the cluster"

    @property
    def informers(self) -> tuple[Informer[Any], ...]:
        """What has to be in sync before `run`."""
        return (self.services, self._slices, self._pods, self._claims, self._policies, self._namespaces)

    @property
    def applied(self) -> bool:
        """Whether the gateway has got a configuration."""
        return self._applied.is_set()

    async def wait_started(self, timeout: float) -> None:
        """Wait until the gateway has got one, at most `timeout` seconds; raises TimeoutError."""
        async with asyncio.timeout(timeout):
            await self._applied.wait()

    async def run(self) -> None:
        """Apply a configuration now, and another one after each change, until cancelled."""
        await self._keys.wait_read()
        while True:
            took = await self._work()
            await self._wait()
            await self._clock.sleep(max(SETTLE_SECONDS, min(took * PAUSE_TIMES, LONGEST_SETTLE_SECONDS)))

    def endpoints(self) -> list[Endpoint]:
        """Every engine of now."""
        return [endpoint for route in self._routes() for endpoint in route.endpoints]

    def claim_of(self, uid: str) -> Claim | None:
        """The claim that a pod holds, by the pod's uid."""
        return next(iter(self._claims.store.by_index(BY_POD, uid)), None)

    def statistics(self) -> WatchStatistics:
        """The figures of this moment."""
        rejected: dict[str, int] = {}
        for made in self._made.values():
            for one in made.rejected.values():
                rejected[one.reason] = rejected.get(one.reason, 0) + 1
        routes = self._routes()
        return WatchStatistics(
            len(routes),
            sum(len(route.endpoints) for route in routes),
            rejected,
            tuple(sorted(self._problems())),
            self._reloads,
            self._refused,
        )

    # --- what changed ---

    def _listen(self) -> None:
        self.services.add_handler(lambda event: self._mark((event.key,)))
        self._slices.add_handler(lambda event: self._mark_for(event, self._routing.of_slice))
        self._pods.add_handler(lambda event: self._mark_for(event, self._routing.of_pod))
        self._claims.add_handler(lambda event: self._mark_for(event, self._routing.of_claim))
        self._policies.add_handler(lambda event: self._mark_all(changed=not event.unchanged))
        self._namespaces.add_handler(self._namespace_changed)
        self._keys.on_change(self._woken.set)

    def _mark_for(self, event: StoreEvent[Any], concerned: Callable[[Any], Iterable[str]]) -> None:
        if event.unchanged:
            return
        for obj in (event.old, event.new):
            if obj is not None:
                self._mark(concerned(obj))

    def _mark(self, keys: Iterable[str]) -> None:
        before = len(self._changed)
        self._changed.update(keys)
        if len(self._changed) > before:
            self._woken.set()

    def _mark_all(self, *, changed: bool = True) -> None:
        if changed:
            self._all_changed = True
            self._woken.set()

    def _namespace_changed(self, event: StoreEvent[PartialObject]) -> None:
        before = event.old.metadata.labels if event.old is not None else None
        after = event.new.metadata.labels if event.new is not None else None
        if before != after:
            prefix = f"{event.key}/"
            self._mark(key for key in self._made if key.startswith(prefix))

    async def _wait(self) -> None:
        """Until something has changed."""
        while not self._woken.is_set():
            if self._addresses is None:
                await self._woken.wait()
            else:
                self._look(self._addresses)
                if not self._woken.is_set():
                    await self._clock.sleep(LOOK_SECONDS)

    def _look(self, addresses: AddressFile) -> None:
        try:
            self._mark_all(changed=addresses.look())
        except (AddressFileError, OSError) as error:
            self._tell("addresses not read", [str(error)])

    # --- what follows ---

    async def _work(self) -> float:
        """Make the routes that may have changed, and a configuration of them; the seconds that giving it took."""
        self._woken.clear()
        if self._addresses is not None:
            self._look(self._addresses)
        if self._all_changed:
            self._all_changed = False
            self._routing.read_policies()
            self._changed |= self._routing.keys() | self._made.keys()
        keys, self._changed = sorted(self._changed), set()
        before = self._made
        self._made = dict(before)
        for number, key in enumerate(keys, 1):
            self._make(key)
            if number % AT_A_TIME == 0:
                await asyncio.sleep(0)
        began = self._clock.monotonic()
        self._give()
        return self._clock.monotonic() - began

    def _make(self, key: str) -> None:
        try:
            made = self._routing.make(key)
        except Exception:  # noqa: BLE001 - a worker's edge
            # What somebody wrote into one service must not stop the gateway for all others.
            self._log.exception("service not understood; served as before", service=key)
            return
        if made.route is None and not made.rejected:
            self._made.pop(key, None)
        else:
            self._made[key] = made

    def _give(self) -> None:
        keys, problems = keys_by_digest(self._keys.keys())
        rules = self._routing.rules
        callers = {digest: rules.caller(key.tenant, key.name, key=key.name) for digest, key in keys.items()}
        configuration = replace(
            self._base, services=self._routes(), classes=rules.classes, keys=callers, tenants=rules.tenants()
        )
        self._callers.replace(callers, rules.caller)
        try:
            self._apply(configuration)
        except ValueError as error:
            self._refused += 1
            self._log.error("configuration refused; the old one stays", problem=str(error))
        else:
            self._reloads += 1
            self._applied.set()
        self._tell("not usable as it is", [*problems, *self._problems()])

    def _routes(self) -> tuple[ServiceRoute, ...]:
        return tuple(made.route for key, made in sorted(self._made.items()) if made.route is not None)

    def _problems(self) -> Iterator[str]:
        yield from self._routing.rules.problems
        yield from self._keys.problems()
        for key, made in self._made.items():
            yield from made.problems
            for shown, rejected in made.rejected.items():
                yield _sentence(key, shown, rejected)

    def _tell(self, message: str, sentences: Iterable[str]) -> None:
        """Log what was not logged the last time."""
        now = frozenset(sentences)
        new = sorted(now - self._told.get(message, frozenset()))
        self._told[message] = now
        for sentence in new[:_LOGGED]:
            self._log.warning(message, problem=sentence)
        if len(new) > _LOGGED:
            self._log.warning(message, more=len(new) - _LOGGED)


def _sentence(key: str, shown: str, rejected: Rejected) -> str:
    return f"{key}: {shown} {rejected.sentence} ({rejected.reason}): no requests go there"
