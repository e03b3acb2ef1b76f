"""Does the deeds of a churn through the real API, as people do: who gets no answer tries again."""

import asyncio
import http.client
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from typing import Any, Final

from e2e.plane import AdminError
from e2e.plane.admin import Admin
from e2e.run.world import Object, places
from tests.chaos.churn import MADE, PRIORITIES, Deed, Verb
from tests.chaos.facts import OVER
from tests.chaos.history import Attempt
from tests.chaos.site import patiently
from tests.integration.operator.running import AIM, deployment, opt_in, pod, service

NAMESPACE: Final = "chaos"
POLICY: Final = "chaos"
UNREACHABLE: Final = "Unreachable"
_DEPLOYMENTS: Final = f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments"
_SERVICES: Final = f"{AIM}/namespaces/{NAMESPACE}/inferenceservices"
_PODS: Final = f"/api/v1/namespaces/{NAMESPACE}/pods"
_CLAIMS: Final = f"{AIM}/namespaces/{NAMESPACE}/gpupartitionclaims"
_PLANS: Final = f"{AIM}/repartitionplans"
_PATHS: Final = {Verb.DEPLOYMENT: _DEPLOYMENTS, Verb.SERVICE: _SERVICES, Verb.POD: _PODS, Verb.BYSTANDER: _PODS}
_PATIENCE_SECONDS: Final = 150.0
"""Longer than a fault lasts, and the webhooks' certificate with it."""
_AGAIN: Final = frozenset({409, 429, 500, 502, 503, 504})
_JUST_BEGUN: Final = ("not yet ready", "could not find the requested resource")
"""Of 403 and 404: its caches are not filled, or it does not serve our kinds yet."""


class Again(Exception):
    """It has to be tried again."""


class People:
    """`done` by verb; `attempts` to create pods that did not opt in; `skipped`: what could not be done any more;
    `given_up`: what the cluster did not take for so long that nobody waits for it."""

    def __init__(self, admin: Admin) -> None:
        self._admin = admin
        self._turns: dict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self.done: Counter[Verb] = Counter()
        self.skipped: Counter[Verb] = Counter()
        self.attempts: list[Attempt] = []
        self.given_up: list[str] = []

    async def run(self, deeds: Iterable[Deed], begun: float) -> None:
        """All of them; `begun` is the loop's time at the run's beginning. Those of one thing are done in their order."""
        now = asyncio.get_running_loop().time
        async with asyncio.TaskGroup() as tasks:
            for deed in deeds:
                await asyncio.sleep(max(0.0, begun + deed.at - now()))
                tasks.create_task(self._do(deed), name=f"{deed.verb} {deed.name}")

    async def _do(self, deed: Deed) -> None:
        async with self._turns[deed.name]:
            try:
                await patiently(lambda: asyncio.to_thread(self._try, deed), _PATIENCE_SECONDS, Again)
            except Again as error:
                self.given_up.append(f"not possible for {_PATIENCE_SECONDS:.0f} s: {error}")

    def _try(self, deed: Deed) -> None:
        """Once. Raises Again."""
        try:
            if deed.verb in MADE:
                self._make(deed)
            else:
                _OTHER[deed.verb](self, deed)
        except (OSError, http.client.HTTPException) as error:
            raise Again(f"{deed.verb} {deed.name}: {error!r}") from error
        except AdminError as error:
            if passes(error):
                raise Again(f"{deed.verb} {deed.name}: {error}") from error
            if error.status not in (http.client.NOT_FOUND, http.client.UNPROCESSABLE_ENTITY):
                raise
            self.skipped[deed.verb] += 1  # it has gone, or what was asked for is so already
        else:
            self.done[deed.verb] += 1

    def _make(self, deed: Deed) -> None:
        begun, path, obj = time.time(), _PATHS[deed.verb], made(deed)
        refused = ""
        try:
            self._admin.create(path, obj)
        except (OSError, http.client.HTTPException):
            refused = UNREACHABLE
            raise
        except AdminError as error:
            if error.reason == "AlreadyExists":
                return  # an earlier try has made it, whose answer did not come
            refused = UNREACHABLE if passes(error) and "webhook" not in str(error) else str(error)
            raise
        finally:
            if deed.verb is Verb.BYSTANDER:
                self.attempts.append(Attempt(f"{NAMESPACE}/{deed.name}", begun, time.time(), refused))

    def _scale(self, deed: Deed) -> None:
        assert deed.made is not None
        self._admin.patch(f"{_PATHS[deed.made]}/{deed.name}", {"spec": {"replicas": deed.number}})

    def _delete(self, deed: Deed) -> None:
        assert deed.made is not None
        self._admin.delete(f"{_PATHS[deed.made]}/{deed.name}")

    def _delete_claim(self, deed: Deed) -> None:
        claims = sorted(one["metadata"]["name"] for one in self._admin.get(_CLAIMS)["items"])
        if claims:
            self._admin.delete(f"{_CLAIMS}/{claims[deed.number % len(claims)]}")

    def _change_mode(self, deed: Deed) -> None:
        nodes = sorted(self._admin.get(f"{AIM}/gpunodes")["items"], key=lambda node: str(node["metadata"]["name"]))
        busy = {at for claim in self._admin.get(_CLAIMS)["items"] for at, _, _ in _alone(claim)}
        wanted = [node for node in nodes if node["metadata"]["name"] in busy] if deed.number % 2 else nodes
        node = (wanted or nodes)[deed.number // 2 % len(wanted or nodes)]
        gpus = [gpu for gpu in node["status"].get("gpus", ()) if gpu.get("mode")]
        touched = self._touched(node["metadata"]["name"], gpus, deed)
        if not touched:
            self.skipped[deed.verb] += 1
            return
        spec = {
            "node": node["metadata"]["name"],
            "from": {"gpus": [{"bdf": gpu["bdf"], "mode": gpu["mode"]} for gpu in touched]},
            "to": {"gpus": [{"bdf": gpu["bdf"], "mode": deed.mode} for gpu in touched]},
            "approval": "Manual",
            "approved": True,
        }
        body = {"apiVersion": "aim.amd.com/v1beta1", "kind": "RepartitionPlan", "metadata": {"name": deed.name}}
        try:
            self._admin.create(_PLANS, body | {"spec": spec})
        except AdminError as error:
            if error.reason != "AlreadyExists":
                raise

    def _touched(self, node: str, gpus: list[dict[str, Any]], deed: Deed) -> list[dict[str, Any]]:
        """The GPUs that the change is of: mostly one, of every other deed one that a model is on.

        All of them where the memory mode changes too. None where a share group is on one: that keeps its mode, and the
        change would only wait.
        """
        claims = [claim for claim in self._admin.get(_CLAIMS)["items"] if any(at == node for at, _, _ in places(claim))]
        held = {bdf: claim for claim in claims for _, bdf, _ in places(claim)}
        grouped = {bdf for bdf, claim in held.items() if claim["spec"].get("shareGroup")}
        memory = deed.mode.partition("/")[2]
        if any(gpu["mode"].partition("/")[2] != memory for gpu in gpus):
            return [] if grouped else gpus
        able = [gpu for gpu in gpus if gpu["bdf"] not in grouped and gpu["mode"] != deed.mode]
        occupied = [gpu for gpu in able if gpu["bdf"] in held]
        chosen = occupied if occupied and deed.number % 2 else able
        return [chosen[deed.number // 7 % len(chosen)]] if chosen else []

    def _cancel(self, deed: Deed) -> None:
        self._admin.patch(f"{_PLANS}/{deed.name}", {"spec": {"rollback": True}})

    def cancel_all(self) -> None:
        """Take back whatever change of theirs is not over. Raises AdminError, OSError."""
        for plan in self._admin.get(_PLANS)["items"]:
            if plan["spec"].get("approved") and (plan.get("status") or {}).get("phase") not in OVER:
                self._admin.patch(f"{_PLANS}/{plan['metadata']['name']}", {"spec": {"rollback": True}})


def _alone(claim: Object) -> list[tuple[str, str, int]]:
    """The partitions that a claim of one pod has."""
    return [] if claim["spec"].get("shareGroup") else places(claim)


def passes(error: AdminError) -> bool:
    """Whether the API server says so only for now: it is overloaded, without etcd, or has just begun."""
    return error.status in _AGAIN or any(text in str(error) for text in _JUST_BEGUN)


def made(deed: Deed) -> dict[str, Any]:
    """The object of a deed that makes something."""
    spec = {"priorityClassName": deed.priority} if deed.priority else {}
    if deed.verb is Verb.DEPLOYMENT:
        return deployment(deed.name, deed.number, opt_in(), **spec)
    if deed.verb is Verb.SERVICE:
        found = service(deed.name, replicas=deed.number)
        found["spec"]["predictor"] |= spec
        return found
    return pod(deed.name, opt_in() if deed.verb is Verb.POD else {}, **spec)


async def patiently_admin(act: Callable[[], object]) -> None:
    """Have the administrator do something that may be done twice. Raises what the API server said last."""

    async def once() -> None:
        await asyncio.to_thread(act)

    await patiently(once, _PATIENCE_SECONDS, (OSError, http.client.HTTPException, AdminError))


def prepare(admin: Admin) -> None:
    """The namespace, the classes of priority, and the policy."""
    admin.create("/api/v1/namespaces", {"metadata": {"name": NAMESPACE}})
    for name, value in PRIORITIES.items():
        body = {"metadata": {"name": name}, "value": value}
        admin.create("/apis/scheduling.k8s.io/v1/priorityclasses", body)
    admin.create(f"{AIM}/gpusharingpolicies", _POLICY)


_POLICY: Final = {
    "apiVersion": "aim.amd.com/v1beta1",
    "kind": "GPUSharingPolicy",
    "metadata": {"name": POLICY},
    "spec": {
        "validatedOnly": False,
        "sharedConcurrency": 4,
        "repartition": {
            "enabled": True,
            "approval": "Auto",
            "maxParallelNodes": 1,
            "maxUnavailablePods": 1,
            "cooldown": "10s",
        },
    },
}

_OTHER: Final = {
    Verb.SCALE: People._scale,
    Verb.DELETE: People._delete,
    Verb.DELETE_CLAIM: People._delete_claim,
    Verb.CANCEL: People._cancel,
    Verb.CHANGE_MODE: People._change_mode,
}
