"""What an installation leaves in a cluster and what is taken away before it goes, step by step.

Each step looks first and does nothing that is done already, so that all of it can be run again.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from api.group import FINALIZER, GATE, V1ALPHA1
from controller.cli.release_nodes import marks, without_marks
from controller.cli.release_plans import REMEDY, at_hardware, left, ordered, told, working
from controller.cli.release_pods import after, controlled, next_one
from controller.runtime.client.client import Client
from controller.runtime.client.core import (
    CUSTOM_RESOURCE_DEFINITIONS,
    DEPLOYMENTS,
    MUTATING_WEBHOOKS,
    NODES,
    PODS,
    RESOURCE_CLAIMS,
    VALIDATING_ADMISSION_POLICY_BINDINGS,
    VALIDATING_WEBHOOKS,
)
from controller.runtime.client.errors import ApiError, Conflict, Forbidden, Invalid, NotFound
from controller.runtime.client.resource import Resource
from controller.runtime.clock import Clock
from controller.runtime.finalizer import remove_finalizer
from controller.state.kinds import GPU_NODES, GPU_PARTITION_CLAIMS, REPARTITION_PLANS

OPERATOR: Final = "aim-gpu-operator"
"""Name of the operator's Deployment, and of its pods in the label app.kubernetes.io/name."""
WEBHOOKS: Final = ((MUTATING_WEBHOOKS, "aim-gpu-pod-gate"), (VALIDATING_WEBHOOKS, "aim-gpu-validation"))
GUARDS: Final = (
    "aim-gpu-pod-create",
    "aim-gpu-pod-update",
    "aim-gpu-resource-claims",
    "aim-gpu-partition-claims",
    "aim-gpu-request-counts",
    "aim-gpu-node-operation",
    "aim-gpu-node-quarantine",
    "aim-gpu-exporter-pause",
)
"""Bindings of the policies that hold without the operator, and so would hold after it."""
TWO_VERSIONS: Final = ("inferenceservices.aim.amd.com", "gpusharingpolicies.aim.amd.com")
"""CRDs whose older version the operator's conversion webhook serves."""

_LOOK_SECONDS: Final = 0.5

Object = Mapping[str, Any]


class GatedPods(StrEnum):
    """What becomes of pods that still wait behind the gate."""

    DELETE = "delete"
    UNGATE = "ungate"


@dataclass(frozen=True, slots=True)
class Release:
    """`limit_seconds`: how long one wait may take, for a change of modes, the operator's end and a guard's.

    `leave_plans`: whether changes of modes are left as they are instead of waited for.
    """

    client: Client
    clock: Clock
    namespace: str
    gated_pods: GatedPods
    dry_run: bool
    limit_seconds: float
    leave_plans: bool = False

    async def run(self) -> AsyncIterator[str]:
        """Do all steps in their order; a line for each thing that was done, or in a dry run would be.

        Raises ApiError, and TimeoutError naming what did not end in time.
        """
        for step in (
            self._plans,
            self._webhooks,
            self._operator,
            self._agents,
            self._guards,
            self._pods,
            self._claims,
            self._nodes,
            self._versions,
            self._left,
        ):
            async for line in step():
                yield line

    async def _plans(self) -> AsyncIterator[str]:
        """First of all, so that nothing is taken away yet where a plan does not end in time."""
        busy = at_hardware(await self._kept(REPARTITION_PLANS))
        if not busy or self.leave_plans or not await self._operator_ready():
            return

        async def ended() -> bool:
            busy[:] = at_hardware(await self._kept(REPARTITION_PLANS))
            return not busy

        waited = [f"{plan['metadata']['name']} waited for, it was at {plan['status']['phase']}" for plan in busy]
        if not self.dry_run:
            await self._within(ended, lambda: f"{told(busy[0])}: {REMEDY}")
        for line in waited:
            yield f"RepartitionPlan {line}"

    async def _operator_ready(self) -> bool:
        """Whether there is anybody who takes a plan further."""
        try:
            found = await self.client.get(DEPLOYMENTS, OPERATOR, self.namespace)
        except NotFound:
            return False
        return bool(found.get("status", {}).get("readyReplicas"))

    async def _agents(self) -> AsyncIterator[str]:
        """What the operator ordered as it went, and what a plan that nobody takes further has ordered."""
        busy = ordered(await self._kept(GPU_NODES))
        if not busy or self.leave_plans:
            return

        async def ended() -> bool:
            busy[:] = ordered(await self._kept(GPU_NODES))
            return not busy

        names = [node["metadata"]["name"] for node in busy]
        if not self.dry_run:
            await self._within(ended, lambda: f"{working(busy[0])}: {REMEDY}")
        for name in names:
            yield f"GPUNode {name}: its agent's change of modes waited for"

    async def _left(self) -> AsyncIterator[str]:
        if not self.dry_run:
            for line in left(await self._kept(REPARTITION_PLANS)):
                yield line

    async def _kept(self, resource: Resource) -> list[Object]:
        """All objects of a kind of ours; none where its definition is gone, since an uninstall may take those, too."""
        try:
            return list((await self.client.list(resource)).items)
        except NotFound:
            return []

    async def _webhooks(self) -> AsyncIterator[str]:
        for resource, name in WEBHOOKS:
            async for line in self._removed(resource, name):
                yield line

    async def _guards(self) -> AsyncIterator[str]:
        for name in GUARDS:
            async for line in self._removed(VALIDATING_ADMISSION_POLICY_BINDINGS, name):
                yield line

    async def _removed(self, resource: Resource, name: str) -> AsyncIterator[str]:
        try:
            await self.client.delete(resource, name, dry_run=self.dry_run)
        except NotFound:
            return
        yield f"{resource.kind} {name} deleted"

    async def _operator(self) -> AsyncIterator[str]:
        """Without replicas, lest it gate, bind or write what is being taken away."""
        try:
            found = await self.client.get(DEPLOYMENTS, OPERATOR, self.namespace)
        except NotFound:
            return
        if found["spec"].get("replicas", 1):
            none = {"spec": {"replicas": 0}}
            await self.client.merge_patch(
                DEPLOYMENTS, OPERATOR, none, self.namespace, subresource="scale", dry_run=self.dry_run
            )
            yield f"Deployment {self.namespace}/{OPERATOR} scaled to 0"
        if not self.dry_run:
            await self._operator_gone()

    async def _operator_gone(self) -> None:
        pods: list[Object] = []

        async def gone() -> bool:
            selector = f"app.kubernetes.io/name={OPERATOR}"
            pods[:] = (await self.client.list(PODS, self.namespace, label_selector=selector)).items
            return not pods

        def told() -> str:
            there = [f"{pod['metadata']['name']} on {pod['spec'].get('nodeName', 'no node')}" for pod in pods]
            return (
                f"pods of Deployment {self.namespace}/{OPERATOR} are still there, {', '.join(there)}: wait for them, or"
                f" where the node is lost and its machine is off: kubectl delete pod -n {self.namespace} NAME --force"
            )

        await self._within(gone, told)

    async def _pods(self) -> AsyncIterator[str]:
        for pod in (await self.client.list(PODS, field_selector="status.phase=Pending")).items:
            gates = pod["spec"].get("schedulingGates", [])
            if GATE not in [gate["name"] for gate in gates] or "deletionTimestamp" in pod["metadata"]:
                continue
            where = f"{pod['metadata']['namespace']}/{pod['metadata']['name']}"
            lacking = await self._lacking(pod)
            if self.gated_pods is GatedPods.DELETE and (lacking or controlled(pod)):
                await self._delete(pod)
                yield f"pod {where} deleted; {next_one(pod, lacking)}"
            else:
                await self._ungate(pod)
                yield f"pod {where} ungated; {after(pod, lacking)}"

    async def _lacking(self, pod: Object) -> list[str]:
        """ResourceClaims that the pod names and nobody has made: what it asks for can be changed by nobody."""
        named = [
            one["resourceClaimName"] for one in pod["spec"].get("resourceClaims", ()) if "resourceClaimName" in one
        ]
        found = []
        for name in named:
            try:
                await self.client.get(RESOURCE_CLAIMS, name, pod["metadata"]["namespace"])
            except NotFound:
                found.append(name)
        return found

    async def _delete(self, pod: Object) -> None:
        meta = pod["metadata"]
        try:
            await self.client.delete(PODS, meta["name"], meta["namespace"], uid=meta["uid"], dry_run=self.dry_run)
        except (NotFound, Conflict):
            return

    async def _ungate(self, pod: Object) -> None:
        meta, gates = pod["metadata"], pod["spec"]["schedulingGates"]
        place = f"/spec/schedulingGates/{[gate['name'] for gate in gates].index(GATE)}"
        patch = [
            {"op": "test", "path": "/metadata/uid", "value": meta["uid"]},
            {"op": "test", "path": f"{place}/name", "value": GATE},
            {"op": "remove", "path": place},
        ]

        async def let_go() -> bool:
            await self.client.json_patch(PODS, meta["name"], patch, meta["namespace"])
            return True

        # a dry run would be refused by the guard that is still there
        if not self.dry_run:
            await self._past_guards(let_go, f"pod {meta['namespace']}/{meta['name']} keeps its gate")

    async def _claims(self) -> AsyncIterator[str]:
        for claim in await self._kept(GPU_PARTITION_CLAIMS):
            if FINALIZER in claim["metadata"].get("finalizers", ()):
                name, namespace = claim["metadata"]["name"], claim["metadata"]["namespace"]

                async def without(claim: Object = claim, name: str = name, namespace: str = namespace) -> bool:
                    await self.client.json_patch(
                        GPU_PARTITION_CLAIMS, name, remove_finalizer(dict(claim), FINALIZER), namespace
                    )
                    return True

                if not self.dry_run:
                    await self._past_guards(without, f"GPUPartitionClaim {namespace}/{name} keeps its finalizer")
                yield f"GPUPartitionClaim {namespace}/{name}: finalizer {FINALIZER} removed"

    async def _nodes(self) -> AsyncIterator[str]:
        for node in (await self.client.list(NODES)).items:
            name = node["metadata"]["name"]
            if not marks(node):
                continue
            otherwise = f"Node {name} is changed all the time by somebody else"

            async def cleaned(name: str = name) -> bool:
                try:
                    await self.client.merge_patch(NODES, name, without_marks(await self.client.get(NODES, name)))
                except Conflict:
                    return False
                return True

            if not self.dry_run:
                await self._within(cleaned, otherwise)
            yield f"Node {name}: {', '.join(marks(node))} removed"

    async def _versions(self) -> AsyncIterator[str]:
        """Objects stay readable in the version that they are stored in; the other one has nobody who converts."""
        for name in TWO_VERSIONS:
            try:
                found = await self.client.get(CUSTOM_RESOURCE_DEFINITIONS, name)
            except NotFound:
                continue
            for place, version in enumerate(found["spec"]["versions"]):
                if version["name"] == V1ALPHA1 and version["served"]:
                    patch: list[Object] = [
                        {"op": "test", "path": f"/spec/versions/{place}/name", "value": V1ALPHA1},
                        {"op": "replace", "path": f"/spec/versions/{place}/served", "value": False},
                    ]
                    await self.client.json_patch(CUSTOM_RESOURCE_DEFINITIONS, name, patch, dry_run=self.dry_run)
                    yield f"CustomResourceDefinition {name}: {V1ALPHA1} is served no longer, since nobody converts"

    async def _past_guards(self, write: Callable[[], Awaitable[bool]], otherwise: str) -> None:
        """API servers go on asking a guard for about a second after its binding has gone."""

        async def written() -> bool:
            try:
                return await write()
            except NotFound:
                return True
            except (Forbidden, Invalid, Conflict) as error:
                refused.append(error)
                return False

        refused: list[ApiError] = []
        try:
            await self._within(written, otherwise)
        except TimeoutError as error:
            raise TimeoutError(f"{error}: {refused[-1].message}" if refused else str(error)) from None

    async def _within(self, done: Callable[[], Awaitable[bool]], otherwise: str | Callable[[], str]) -> None:
        """Raises TimeoutError with `otherwise`, or with what it says by then."""
        deadline = self.clock.monotonic() + self.limit_seconds
        while not await done():
            if self.clock.monotonic() >= deadline:
                told = otherwise if isinstance(otherwise, str) else otherwise()
                raise TimeoutError(f"after {self.limit_seconds:g} s {told}")
            await self.clock.sleep(_LOOK_SECONDS)
