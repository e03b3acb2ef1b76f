"""One cluster for many cases of the sweep: operator behind a proxy, an agent of two nodes, and models that move between.

Each case changes whichever node the models are on; its plan starts from the modes that are there by then.
"""

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from unittest.mock import patch

import msgspec

from controller.agent.partitioner import StepKind
from controller.agent.simulated_faults import ScriptedFault
from controller.repartition.phases import Event, Phase
from e2e.plane import Plane
from e2e.plane.errors import AdminError
from e2e.run.processes import OPERATOR, Worker
from tests.integration.operator import running as operator_running
from tests.integration.operator.recording_proxy import RecordingProxy, Write, recording_proxy
from tests.integration.operator.running import AIM, DRA, Object, Running, deployment, opt_in, running
from tests.integration.sweep.hurry import PROGRAM, TIMES
from tests.sweep.scripts import MEMORY, STAY
from tests.sweep.transitions import Key

PLANS: Final = f"{AIM}/repartitionplans"
NODES: Final = "/api/v1/nodes"
FIRST_MODE: Final = "DPX/NPS1"
MODELS: Final = 4
# Another mode of the same memory mode, and another memory mode: a case goes wherever the GPUs are not.
_OTHER_COMPUTE: Final = {"DPX/NPS1": "QPX/NPS1", "QPX/NPS1": "DPX/NPS1", "CPX/NPS4": "QPX/NPS4", "QPX/NPS4": "CPX/NPS4"}
_OTHER_MEMORY: Final = {"NPS1": "CPX/NPS4", "NPS4": FIRST_MODE}


def _wanted(mode: str, to: str) -> str:
    """The mode that a GPU in this one goes to: see COMPUTE, MEMORY and STAY of the scripts."""
    if to == STAY:
        return mode
    return _OTHER_MEMORY[mode.partition("/")[2]] if to == MEMORY else _OTHER_COMPUTE.get(mode, FIRST_MODE)


TIME_SCALE: Final = 0.02
"""How much shorter the changes of the simulated hardware are, besides that its agents hurry."""
_HEARTBEAT_SECONDS: Final = 0.2 * TIMES
_NO_FAULTS: Final = b"{}"
_POLL_SECONDS: Final = 0.05
_SETTLED_SECONDS: Final = 120.0


@dataclass
class Site:
    """What cases do to the cluster, and what they ask of it. `node` and `gpu` are what the case changes; `lost`: a GPU
    of `node` that is gone for good.

    Short calls block the loop, and the requests of operator and agents with it: what a case does at a transition, or
    at a step of the agent, is done before they hear that their write was made.
    """

    plane: Plane
    cluster: Running
    proxy: RecordingProxy
    tasks: asyncio.TaskGroup
    folder: Path
    node: str = ""
    gpu: str = ""
    plan: str = ""
    lost: str = ""
    taken: list[Key] = field(default_factory=list)
    on_taken: Callable[[Key], None] = field(default=lambda _: None)
    on_step: Callable[[str], None] = field(default=lambda _: None)
    busy: set[asyncio.Task[None]] = field(default_factory=set)
    _phase: Phase = Phase.PENDING
    _begun: int = 0
    _reload_is_seen: asyncio.Event = field(default_factory=asyncio.Event)

    # What happened ---------------------------------------------------------------------------------------------------

    def heard(self, write: Write) -> None:
        """A write was answered; of the plan's status it may be a transition, of the node's a step of the agent."""
        if not (write.took_effect and write.method == "PUT" and write.path.endswith("/status")):
            return
        if write.path.endswith(f"/repartitionplans/{self.plan}/status"):
            self._transition(write)
        elif write.path.endswith(f"/gpunodes/{self.node}/status"):
            progress = json.loads(write.body)["status"].get("operation") or {}
            if progress.get("phase") == "Running":
                if progress.get("step", "").startswith(StepKind.RELOAD_DRIVER) and self._phase is Phase.APPLYING:
                    self._reload_is_seen.clear()
                self.on_step(progress.get("step", ""))

    def held(self, method: str, path: str) -> asyncio.Event | None:
        """Keep an agent's next word back until the operator has told that the driver reloads.

        Hardware takes minutes for it. Here it takes less than a busy machine needs to hear of it.
        """
        return self._reload_is_seen if method == "PUT" and path.endswith(f"/gpunodes/{self.node}/status") else None

    def _transition(self, write: Write) -> None:
        status = json.loads(write.body)["status"]
        steps = status.get("steps") or []
        if (status["phase"], len(steps)) == (self._phase, self._begun):
            return
        before, self._phase, self._begun = self._phase, Phase(status["phase"]), len(steps)
        self._reload_is_seen.set()
        ended = [step["result"] for step in steps if "endTime" in step and step["name"] == before]
        key = (before, Event(ended[-1])) if ended else _before_the_beginning(before, self._phase, write)
        if key is not None:
            self.taken.append(key)
            self.on_taken(key)

    # What a case does ------------------------------------------------------------------------------------------------

    def begin(self, name: str, to: str, *, approved: bool, cancelled: bool) -> None:
        """Write the plan of a case, for the node that the models are on now."""
        self.plan, self.taken, self._phase, self._begun = name, [], Phase.PENDING, 0
        self._reload_is_seen.set()
        self.proxy.writes.clear()
        gpus = self.gpu_node()["status"]["gpus"]
        touched = [gpu for gpu in gpus if to == MEMORY or gpu["bdf"] == self.gpu]
        wanted = [(gpu, _wanted(gpu["mode"], to)) for gpu in touched]
        spec: Object = {
            "node": self.node,
            "from": {"gpus": [{"bdf": gpu["bdf"], "mode": gpu["mode"]} for gpu in touched]},
            "to": {"gpus": [{"bdf": gpu["bdf"], "mode": mode} for gpu, mode in wanted]},
            "approval": "Manual",
            "approved": approved,
            "rollback": cancelled,
        }
        if to == STAY:
            spec["gain"] = {"gpus": 1}
        body = {"apiVersion": "aim.amd.com/v1beta1", "kind": "RepartitionPlan", "metadata": {"name": name}}
        self.plane.admin.create(PLANS, body | {"spec": spec})

    def change(self, **spec: Any) -> None:
        """A person changes the plan's spec."""
        self.plane.admin.patch(f"{PLANS}/{self.plan}", {"spec": spec})

    async def long_ago(self, phase: Phase) -> None:
        """Have the phase, in which the plan is, begun years ago."""
        while self._phase is phase and not await asyncio.to_thread(self._antedate, phase):  # noqa: ASYNC110
            await asyncio.sleep(_POLL_SECONDS)

    async def mend(self, unsettled: Callable[["Site"], list[str]]) -> None:
        """Take back what the hardware was told to do wrong, and what a person would have to set again.

        The way back is not gone once the node has gone, and a reload leaves fewer partitions than there are models.
        """
        small = [node for node in self.cluster.names.values() if self._partitions(node) < MODELS]
        if self.faults_file.read_bytes() == _NO_FAULTS and not (self.lost or small):
            return
        self.faults_file.write_bytes(_NO_FAULTS)
        self.lost = ""
        await self.cluster.agents.kill()
        for node in small:
            assert node not in self.nodes_of_models(), f"{node} has models and too few partitions for all"
            self._set_first_mode(node)
        await self.cluster.agents.start()
        await self.settled(unsettled)

    def _partitions(self, node: str) -> int:
        gpus = self.plane.admin.get(f"{AIM}/gpunodes/{node}")["status"]["gpus"]
        return sum(len(gpu["partitions"]) for gpu in gpus)

    def _set_first_mode(self, node: str) -> None:
        compute, _, memory = FIRST_MODE.partition("/")
        kept = json.loads(self.modes_file(node).read_bytes())
        modes = {"memory": memory, "requested": memory, "compute": dict.fromkeys(kept["compute"], compute)}
        self.modes_file(node).write_text(json.dumps(modes))

    def _antedate(self, phase: Phase) -> bool:
        path, operator = f"{PLANS}/{self.plan}", self.plane.admin.acting_as(OPERATOR)
        found = self.plane.admin.get(path)
        if found["status"]["phase"] != phase:
            return False
        steps = [step | {"startTime": "2020-01-01T00:00:00Z"} for step in found["status"]["steps"]]
        version = {"resourceVersion": found["metadata"]["resourceVersion"]}
        try:
            operator.patch(f"{path}/status", {"metadata": version, "status": {"steps": steps}})
        except AdminError:
            return False  # the operator wrote meanwhile
        return True

    def kill(self, who: str) -> None:
        """End the process at once, and start it again."""
        self.away(who, lambda: asyncio.sleep(0))

    def away(
        self, who: str, until: Callable[[], Coroutine[Any, Any, None]], first: Callable[[], None] | None = None
    ) -> None:
        """End the process at once; do `first`; start it again when `until` has come."""
        worker = self.cluster.operator if who == "operator" else self.cluster.agents
        if not worker.alive:
            return
        os.kill(worker.pid, signal.SIGKILL)
        self.do(self._back(worker, until, first))

    async def _back(
        self, worker: Worker, until: Callable[[], Coroutine[Any, Any, None]], first: Callable[[], None] | None
    ) -> None:
        await worker.kill()
        if first is not None:
            first()
        await until()
        await worker.start()

    def do(self, work: Coroutine[Any, Any, None]) -> None:
        """Do it beside everything else; a case is not over before it is done."""
        task = self.tasks.create_task(work)
        self.busy.add(task)
        task.add_done_callback(self.busy.discard)

    def rest(self) -> None:
        """Nothing more is done, nor heard of."""
        self.on_taken, self.on_step = lambda _: None, lambda _: None
        self._reload_is_seen.set()
        for task in self.busy:
            task.cancel()

    def play(self, *faults: ScriptedFault) -> None:
        """What agents that start from now on find their hardware to do."""
        self.faults_file.write_bytes(msgspec.json.encode({"faults": faults}))

    @property
    def faults_file(self) -> Path:
        """The script that the agents are started with."""
        return self.folder / "faults.json"

    def left(self, phase: Phase) -> Callable[[], Coroutine[Any, Any, None]]:
        """Waits until the plan is in another phase."""

        async def wait() -> None:
            while self._phase is phase:  # noqa: ASYNC110 - a hook sets it
                await asyncio.sleep(_POLL_SECONDS)

        return wait

    # What a case asks ------------------------------------------------------------------------------------------------

    def gpu_node(self) -> Object:
        """The GPUNode of the node that is changed."""
        return self.plane.admin.get(f"{AIM}/gpunodes/{self.node}")

    def modes_file(self, node: str) -> Path:
        """The hardware of a node, as its simulation keeps it."""
        return self.folder / "agent" / "state" / f"{node}.json"

    def nodes_of_models(self) -> list[str | None]:
        """The node of each model's pod."""
        return [pod["spec"].get("nodeName") for pod in self.plane.admin.get(self.cluster.pods_path)["items"]]

    def choose(self) -> None:
        """The node with most models is changed next, and of its GPUs the one with most of them in any case."""
        self.node = max(self.cluster.names.values(), key=self.nodes_of_models().count)
        gpus = self.gpu_node()["status"]["gpus"]
        self.gpu = max(gpus, key=lambda gpu: sum(one["holder"] == "ours" for one in gpu["partitions"]))["bdf"]

    async def settled(self, unsettled: Callable[["Site"], list[str]]) -> None:
        """Wait until nothing is left to do. Raises AssertionError with what is."""
        left: list[str] = ["nothing was looked at"]
        try:
            async with asyncio.timeout(_SETTLED_SECONDS):
                while self.busy or left:
                    await asyncio.sleep(_POLL_SECONDS)
                    left = [] if self.busy else await asyncio.to_thread(unsettled, self)
        except TimeoutError:
            raise AssertionError(
                f"still not as it must be: {left}, {self.busy}; taken {self.taken}; log {self.cluster.operator.log}"
            ) from None


def _before_the_beginning(before: Phase, after: Phase, write: Write) -> Key | None:
    """The event of a plan that has no steps yet: its phases tell, but for the two ways to fail."""
    if after is Phase.AWAITING_APPROVAL:
        return before, Event.APPROVAL_NEEDED
    if after is Phase.DRAINING:
        return before, Event.APPROVED
    if after is Phase.FAILED:
        cancelled = json.loads(write.body)["spec"].get("rollback")
        return before, Event.CANCELLED if cancelled else Event.REFUSED
    return None


@asynccontextmanager
async def site(plane: Plane, folder: Path) -> AsyncIterator[Site]:
    """A cluster whose models run on the first of two nodes. Cancelled, it leaves the plane as it is: not for others."""
    faults = folder / "faults.json"
    faults.write_bytes(_NO_FAULTS)
    arguments = ("--faults", str(faults), "--heartbeat-seconds", str(_HEARTBEAT_SECONDS))
    with ExitStack() as undone:
        async with (
            recording_proxy(plane) as proxy,
            running(
                plane,
                folder,
                {"a": FIRST_MODE, "b": FIRST_MODE},
                gpus=2,
                server=proxy.url,
                time_scale=TIME_SCALE,
                agent_arguments=(*arguments, "--server", proxy.url),
                program=PROGRAM,
            ) as cluster,
        ):
            try:
                async with asyncio.TaskGroup() as tasks:
                    made = Site(plane, cluster, proxy, tasks, folder)
                    made.rest()
                    proxy.after, proxy.hold = made.heard, made.held
                    await _settle_in(cluster)
                    yield made
                    made.rest()
            except asyncio.CancelledError:  # Ctrl-C: what fails within the group is told as a group
                undone.enter_context(patch.object(operator_running, "_clean"))
                await cluster.operator.kill()
                await cluster.agents.kill()
                raise
            finally:
                proxy.after, proxy.hold = lambda _: None, lambda _method, _path: None


async def _settle_in(cluster: Running) -> None:
    await cluster.rule(_POLICY)
    for name in ("first", "second"):
        await cluster.create(cluster.deployments_path, deployment(name, MODELS // 2, opt_in()))
    await cluster.all_allocated(MODELS)


_POLICY: Final[Object] = {
    "apiVersion": "aim.amd.com/v1beta1",
    "kind": "GPUSharingPolicy",
    "metadata": {"name": "all"},
    "spec": {
        "validatedOnly": False,
        # divided when full: plans are those of the scripts
        "repartition": {
            "enabled": True,
            "approval": "Auto",
            "divide": "WhenFull",
            "cooldown": "1ms",
            "maxUnavailablePods": 2,
        },
    },
}
RESOURCE_CLAIMS: Final = f"{DRA}/resourceclaims"
