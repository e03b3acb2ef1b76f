"""What a support bundle is made of, read with whatever rights there are: what may not be read is named, not missed.

Objects are redacted as they come (see `redaction`). Secrets and ConfigMaps are never asked for.
"""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from controller.cli.bundle import Bundle
from controller.cli.redaction import Redactor
from controller.cli.yaml_text import as_yaml
from controller.runtime.client.client import Client, Selection
from controller.runtime.client.core import (
    CUSTOM_RESOURCE_DEFINITIONS,
    DAEMON_SETS,
    DEPLOYMENTS,
    DEVICE_CLASSES,
    EVENTS,
    LEASES,
    NODES,
    POD_DISRUPTION_BUDGETS,
    PODS,
    RESOURCE_CLAIMS,
    RESOURCE_SLICES,
)
from controller.runtime.client.errors import ApiError, Forbidden, NotFound, Unauthorized
from controller.runtime.client.resource import Resource
from controller.runtime.clock import Clock
from controller.runtime.manifest import Manifest
from controller.state.kinds import (
    GPU_NODES,
    GPU_PARTITION_CLAIMS,
    GPU_SHARING_POLICIES,
    INFERENCE_SERVICES,
    KSERVE_SERVICES,
    MODEL_PROFILES,
    REPARTITION_PLANS,
)

#: The most of a kind that is taken, and of events, the latest.
MOST_OBJECTS: Final = 5_000
MOST_EVENTS: Final = 2_000
#: Logs: lines and bytes of each container, and how many pods of ours, those that are not well first.
LOG_LINES: Final = 2_000
LOG_BYTES: Final = 1 << 20
MOST_LOGS: Final = 40
_REQUEST_SECONDS: Final = 30.0

PART_OF: Final = "app.kubernetes.io/part-of=aim-gpu-sharing"
NEVER: Final = ("Secrets", "ConfigMaps", "environment variables' values", "unknown arguments, annotations and labels")

_OURS: Final = (
    GPU_NODES,
    GPU_PARTITION_CLAIMS,
    INFERENCE_SERVICES,
    MODEL_PROFILES,
    GPU_SHARING_POLICIES,
    REPARTITION_PLANS,
    RESOURCE_CLAIMS,
    RESOURCE_SLICES,
    DEVICE_CLASSES,
    POD_DISRUPTION_BUDGETS,
)
_KINDS: Final = frozenset({*(each.kind for each in _OURS), NODES.kind})
_SYSTEM: Final = (DEPLOYMENTS, DAEMON_SETS, LEASES)


@dataclass(frozen=True, slots=True)
class Scope:
    """`namespace` None: all. `system`: the operator's. `limit_seconds`: for all of it; what comes later is left out."""

    namespace: str | None
    system: str
    logs: bool
    limit_seconds: float


@dataclass(slots=True)
class Reading:
    """Fills a bundle. Mutable."""

    client: Client
    clock: Clock
    scope: Scope
    bundle: Bundle = field(default_factory=Bundle)
    redactor: Redactor = field(default_factory=Redactor)
    first_failure: ApiError | None = None
    _lists: int = 0
    _told_pods: set[tuple[str, str]] = field(default_factory=set)

    async def all(self) -> None:
        """Read everything there is to read. Raises the first of the client's errors where no list at all is told."""
        deadline = self.clock.monotonic() + self.scope.limit_seconds
        for what, read in self._parts():
            if self.clock.monotonic() >= deadline:
                self.bundle.leave_out(what, f"the {self.scope.limit_seconds:g} s were over")
                continue
            try:
                await read()
            except ApiError as error:
                self.first_failure = self.first_failure or error
                self.bundle.leave_out(what, self._why(error))
                if isinstance(error, Unauthorized):
                    raise
        if not self._lists and self.first_failure is not None:
            raise self.first_failure

    def _parts(self) -> Iterable[tuple[str, Callable[[], Awaitable[None]]]]:
        """What is read, by name."""
        yield "versions", self._versions
        for resource in _OURS:
            yield str(resource), self._of(resource, self.scope.namespace, self.redactor.object)
        yield f"{KSERVE_SERVICES} of KServe", self._of(KSERVE_SERVICES, self.scope.namespace, self.redactor.object)
        yield str(NODES), self._of(NODES, None, self.redactor.node)
        for resource in _SYSTEM:
            name = f"{resource} in {self.scope.system}"
            yield name, self._of(resource, self.scope.system, self.redactor.object)
        yield "pods", self._pods
        yield "events", self._events
        if self.scope.logs:
            yield f"logs in {self.scope.system}", self._logs
        else:
            self.bundle.leave_out("logs", "--no-logs")

    @staticmethod
    def _why(error: ApiError) -> str:
        match error:
            case Forbidden():
                return f"not allowed: {error.message}"
            case NotFound():
                return "the API server does not have it"
            case _:
                return error.message or error.reason

    def _of(
        self, resource: Resource, namespace: str | None, fit: Callable[[Manifest], dict[str, Any]]
    ) -> Callable[[], Awaitable[None]]:
        async def read() -> None:
            where = namespace if resource.namespaced else None
            found = await self._listed(resource, where)
            self._add(f"objects/{resource}.yaml", [_typed(resource, fit(each)) for each in found])

        return read

    async def _listed(self, resource: Resource, namespace: str | None, selector: str | None = None) -> list[Manifest]:
        """At most `MOST_OBJECTS`; that there are more is said."""
        found: list[Manifest] = []
        token: str | None = None
        while len(found) < MOST_OBJECTS:
            page = await self.client.list_page(
                resource, Selection(namespace, label_selector=selector), continue_token=token
            )
            found += page.items
            token = page.continue_token
            self._lists += 1
            if token is None:
                return found
        self.bundle.leave_out(f"more {resource}", f"the first {MOST_OBJECTS} are taken")
        return found[:MOST_OBJECTS]

    def _add(self, name: str, objects: Sequence[Any]) -> None:
        self.bundle.add(name, as_yaml(list(objects)), len(objects))

    async def _versions(self) -> None:
        server = orjson.loads(await self.client.request("GET", "/version", timeout=_REQUEST_SECONDS))
        told = {"server": {key: server.get(key) for key in ("gitVersion", "platform")}}
        self.bundle.add("versions.yaml", as_yaml(told), 1)
        crds = await self._listed(CUSTOM_RESOURCE_DEFINITIONS, None)
        ours = [each for each in crds if each["spec"]["group"] in ("aim.amd.com", "serving.kserve.io")]
        self._add("objects/customresourcedefinitions.yaml", [_crd(each) for each in ours])

    async def _pods(self) -> None:
        """Ours, and those that have a claim of ours or ask for one."""
        found = await self._listed(PODS, self.scope.namespace)
        kept = [each for each in found if _takes_part(each, self.scope.system)]
        self._told_pods = {(each["metadata"]["namespace"], each["metadata"]["name"]) for each in kept}
        if len(kept) < len(found):
            self.bundle.leave_out("other pods", f"{len(found) - len(kept)} ask for no partition and are not ours")
        self._add("objects/pods.yaml", [_typed(PODS, self.redactor.pod(each)) for each in kept])

    async def _events(self) -> None:
        found = sorted(await self._listed(EVENTS, self.scope.namespace), key=_time)
        about = [each for each in found if self._concerns(each)]
        if len(about) > MOST_EVENTS:
            self.bundle.leave_out("older events", f"{len(about) - MOST_EVENTS} before the last {MOST_EVENTS}")
        self._add("events.yaml", [self._event(each) for each in about[-MOST_EVENTS:]])

    def _concerns(self, event: Manifest) -> bool:
        """Whether an event is about something that is in the bundle: by its kind, by who tells it, or by its name."""
        regarding = event.get("regarding") or {}
        where, name = regarding.get("namespace", ""), regarding.get("name", "")
        source = (event.get("deprecatedSource") or {}).get("component", "")
        return (
            regarding.get("kind") in _KINDS
            or where == self.scope.system
            or (where, name) in self._told_pods
            or "aim-gpu" in f"{event.get('reportingController', '')} {source}"
        )

    def _event(self, event: Manifest) -> dict[str, Any]:
        return {
            "time": _time(event),
            "type": event.get("type", ""),
            "reason": event.get("reason", ""),
            "regarding": event.get("regarding"),
            "note": self.redactor.text(event.get("note") or ""),
            "count": (event.get("series") or {}).get("count") or event.get("deprecatedCount") or 1,
        }

    async def _logs(self) -> None:
        pods = sorted(await self._listed(PODS, self.scope.system, PART_OF), key=_worst_first)
        if len(pods) > MOST_LOGS:
            first = f"of {len(pods)} pods {MOST_LOGS} are taken, those that are not well first"
            self.bundle.leave_out("more logs", first)
        for pod in pods[:MOST_LOGS]:
            for status in (pod.get("status") or {}).get("containerStatuses") or ():
                await self._log(pod["metadata"]["name"], status["name"], previous=False)
                if status.get("restartCount"):
                    await self._log(pod["metadata"]["name"], status["name"], previous=True)

    async def _log(self, pod: str, container: str, *, previous: bool) -> None:
        name = f"logs/{pod}-{container}{'-previous' if previous else ''}.log"
        params = {"container": container, "tailLines": str(LOG_LINES), "limitBytes": str(LOG_BYTES)}
        params |= {"previous": "true"} if previous else {}
        path = PODS.path(self.scope.system, pod, "log")
        try:
            body = await self.client.request("GET", path, params=params, timeout=_REQUEST_SECONDS)
        except ApiError as error:
            self.bundle.leave_out(name, self._why(error))
            return
        text = self.redactor.text(body.decode(errors="replace"))
        self.bundle.add(name, text, text.count("\n"))


def _typed(resource: Resource, obj: dict[str, Any]) -> dict[str, Any]:
    return {"apiVersion": resource.api_version, "kind": resource.kind, **obj}


def _crd(crd: Manifest) -> dict[str, Any]:
    """Which versions it has; its schema is in every release."""
    versions = [{key: each.get(key) for key in ("name", "served", "storage")} for each in crd["spec"]["versions"]]
    status = crd.get("status") or {}
    return {
        "name": crd["metadata"]["name"],
        "versions": versions,
        "storedVersions": status.get("storedVersions"),
        "conditions": status.get("conditions"),
    }


def _takes_part(pod: Manifest, system: str) -> bool:
    if pod["metadata"]["namespace"] == system:
        return True
    annotations = pod["metadata"].get("annotations") or {}
    return any(key.startswith("aim.amd.com/") for key in annotations)


def _time(event: Manifest) -> str:
    series = event.get("series") or {}
    found = series.get("lastObservedTime") or event.get("eventTime") or event.get("deprecatedLastTimestamp")
    return str(found or "")


def _worst_first(pod: Manifest) -> tuple[bool, int, str]:
    statuses = (pod.get("status") or {}).get("containerStatuses") or ()
    well = bool(statuses) and all(each.get("ready") for each in statuses)
    return well, -sum(each.get("restartCount", 0) for each in statuses), pod["metadata"]["name"]
