"""Where the story is played: everything that `make run` starts, with metrics over HTTPS, and a Prometheus that reads it.

The operator and the gateway wait less than in a cluster (`hurry`); rules are evaluated at `Pace`.
Each kind of trouble has a node of its own, and what is to be there is pinned to it by a label.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import aiohttp

from controller.runtime.certs.authority import issue_leaf, make_authority
from e2e.plane import Plane
from e2e.plane.ports import LOOPBACK
from e2e.prometheus.configuration import Target
from e2e.prometheus.server import Prometheus
from e2e.run.engines import Engines
from e2e.run.metrics import targets
from e2e.run.processes import Operators, Worker
from tests.integration.metrics.judgement import Expected, Scene
from tests.integration.metrics.places import TEAM
from tests.integration.operator.running import Object

FIRING: Final = 'ALERTS{alertstate="firing"}'
FIRES_WITHIN_SECONDS: Final = 90.0
ENDS_WITHIN_SECONDS: Final = 90.0
"""Both are what a machine takes that has other things to do; a quiet one needs half of it."""

_BODY: Final[Object] = {"messages": [{"role": "user", "content": "hi " * 20}]}
_LOOK_SECONDS: Final = 0.5
_QUIET_LOOKS: Final = 5


class Certificate:
    """The gateway's, in a folder that it looks at by itself."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True)
        now = datetime.now(UTC)
        self._authority = make_authority("tests", now - timedelta(days=1), timedelta(days=3650))
        self.renew(timedelta(days=1000))

    def renew(self, lifetime: timedelta) -> None:
        """Another one, which lasts so long from now on."""
        now = datetime.now(UTC)
        leaf = issue_leaf(self._authority, [LOOPBACK], now - timedelta(minutes=1), lifetime + timedelta(minutes=1))
        for name, content in (("tls.key", leaf.private_key_pem), ("tls.crt", leaf.certificate_pem)):
            (self.folder / name).write_bytes(content)


@dataclass
class Stage:
    """All that runs. `groups` are the agents' processes by name, `unread` those of them that Prometheus forgot; `scenes` those that are over;
    `problems` what went wrong in them. `token` is shown to the gateway, `reader` where metrics are, `viewer` to the live map."""

    plane: Plane
    folder: Path
    prometheus: Prometheus
    operators: Operators
    groups: Mapping[str, Worker]
    engines: Engines
    gateways: list[Worker]
    exporter: Worker
    live_map: Worker
    certificate: "Certificate"
    session: aiohttp.ClientSession
    token: str
    reader: str
    viewer: str
    unread: set[str] = field(default_factory=set)
    scenes: list[Scene] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    # Objects on the plane.

    async def create(self, path: str, obj: Object) -> Object:
        """Create it as the administrator."""
        return await asyncio.to_thread(self.plane.admin.create, path, obj)

    async def patch(self, path: str, patch: Object | list[Any]) -> Object:
        """Patch it as the administrator."""
        return await asyncio.to_thread(self.plane.admin.patch, path, patch)

    async def get(self, path: str) -> Object:
        """What is there."""
        return await asyncio.to_thread(self.plane.admin.get, path)

    async def delete(self, path: str) -> None:
        """Delete it."""
        await asyncio.to_thread(self.plane.admin.delete, path)

    async def eventually(self, what: str, check: Callable[[], Awaitable[Any]], limit: float = 60.0) -> Any:
        """The first true answer; fails after `limit` seconds with the last one."""
        deadline = time.monotonic() + limit
        while not (found := await check()):
            assert time.monotonic() < deadline, f"not within {limit:.0f} s: {what}; last seen {found!r}"
            await asyncio.sleep(_LOOK_SECONDS)
        return found

    # Requests.

    async def ask(self, model: str, tokens: int = 4, *, stream: bool = False) -> int:
        """One request for a model of the team's; its status, 0 when there was no answer."""
        body = {**_BODY, "model": model, "max_tokens": tokens, "stream": stream}
        url = f"https://{LOOPBACK}:{self.gateways[0].ports['gateway']}/v1/chat/completions"
        return await self._post(url, body, {"Authorization": f"Bearer {self.token}"})

    async def ask_engine(self, app: str, model: str, tokens: int = 64) -> int:
        """One request to the engine of an app's only pod itself, past the gateway; its status, 0 without an answer."""
        (pod,) = [one for one in await self.pods() if one["metadata"].get("labels", {}).get("app") == app]
        try:
            address = json.loads(self.engines.addresses.read_text())[pod["metadata"]["uid"]]
        except (FileNotFoundError, KeyError):
            return 0
        return await self._post(
            f"http://{address}/v1/chat/completions", {**_BODY, "model": model, "max_tokens": tokens}
        )

    async def look(self, model: str, seconds: float) -> None:
        """Have the live map's page open for a while, and ask it what would become of a model."""
        headers, url = {"Authorization": f"Bearer {self.viewer}"}, f"https://{LOOPBACK}:{self.live_map.ports['ui']}/api"
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds), self.session.get(f"{url}/events", headers=headers) as page:
                asked = self.session.get(f"{url}/what-if", params={"model": model, "namespace": TEAM}, headers=headers)
                async with asked as answer:
                    await answer.read()
                async for _ in page.content:
                    pass

    async def pods(self) -> list[Object]:
        """The team's."""
        return list((await self.get(f"/api/v1/namespaces/{TEAM}/pods"))["items"])

    async def _post(self, url: str, body: Object, headers: Mapping[str, str] | None = None) -> int:
        try:
            async with self.session.post(url, json=body, headers=headers) as answer:
                await answer.read()
                return answer.status
        except (aiohttp.ClientError, TimeoutError):
            return 0

    # What Prometheus reads, and what it says.

    def targets(self) -> list[Target]:
        """Everything of ours that runs now, by the ports that it took."""
        ours: Mapping[str, Iterable[Worker]] = {
            "operator": self.operators.workers,
            "agent": [worker for name, worker in self.groups.items() if name not in self.unread],
            "gateway": self.gateways,
            "exporter": [self.exporter],
            "ui": [self.live_map],
        }
        return targets(ours)

    def read_again(self) -> None:
        """Have Prometheus read processes that were started again where they listen now."""
        self.prometheus.read(self.targets())

    async def pages(self) -> list[tuple[str, str]]:
        """What every process tells now, with its kind."""
        headers = {"Authorization": f"Bearer {self.reader}"}
        found = []
        for target in self.targets():
            async with self.session.get(f"https://{target.address}/metrics", headers=headers) as answer:
                assert answer.status == 200, f"{target.instance}: {await answer.text()}"
                found.append((target.job, await answer.text()))
        return found

    async def shown(self, expression: str) -> None:
        """Wait until an expression has a value."""
        await self.eventually(
            f"{expression} has a value", lambda: asyncio.to_thread(self.prometheus.api.instant, expression)
        )

    async def alerts(self, selector: str) -> list[Mapping[str, str]]:
        """The labels of all alerts now, firing or pending, that a selector chooses."""
        found = await asyncio.to_thread(self.prometheus.api.instant, selector)
        return [series.labels for series in found]

    async def fire(self, *expected: Expected) -> None:
        """Wait until all of these have fired, each at some time. One that does not is a problem, and no reason to end."""
        waiting = list(expected)
        deadline = time.monotonic() + FIRES_WITHIN_SECONDS
        while waiting and time.monotonic() < deadline:
            labels = await self.alerts(FIRING)
            waiting = [one for one in waiting if not any(one.is_met_by(each) for each in labels)]
            await asyncio.sleep(_LOOK_SECONDS)
        self.problems += [f"{one} did not fire within {FIRES_WITHIN_SECONDS:.0f} s" for one in waiting]

    async def over(self, expected: Sequence[Expected]) -> list[Mapping[str, str]]:
        """Wait until none of these fires or is about to; the labels of those that still do after the time for it.

        One scrape that fails ends an alert too, so it has to stay so for some looks.
        """
        deadline, quiet = time.monotonic() + ENDS_WITHIN_SECONDS, 0
        while True:
            present = await self.alerts("ALERTS")
            lasting = [one for one in present if any(each.is_met_by(one) for each in expected)]
            quiet = 0 if lasting else quiet + 1
            if quiet == _QUIET_LOOKS or time.monotonic() > deadline:
                return lasting
            await asyncio.sleep(_LOOK_SECONDS)

    @asynccontextmanager
    async def scene(self, name: str, *expected: Expected, allowed: Sequence[Expected] = ()) -> AsyncIterator[None]:
        """A scene: the block breaks something, waits with `fire`, and mends it; then its alerts are to end."""
        start = time.time()
        try:
            yield
        except AssertionError as error:
            self.problems.append(f"{name}: {error}")
        if lasting := await self.over((*expected, *allowed)):
            self.problems.append(f"{name}: after {ENDS_WITHIN_SECONDS:.0f} s these still fire: {lasting}")
        self.scenes.append(Scene(name, start, time.time(), expected, allowed))
