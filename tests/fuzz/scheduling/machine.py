"""The scheduler under any order of events, as a hypothesis state machine: the operator's real state, cycle and
reconcilers on an API server in memory, and everything around them late, lost, repeated or broken.
"""

from collections import Counter
from collections.abc import Callable, Collection
from typing import Any, ClassVar, Final

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from controller.runtime.client.core import NODES, PODS, RESOURCE_CLAIMS
from controller.state.kinds import GPU_PARTITION_CLAIMS, REPARTITION_PLANS
from tests.fakes.clock import FakeClock
from tests.fuzz.scheduling.judge import Judge
from tests.fuzz.scheduling.life import PLURALS, Item, Life
from tests.fuzz.scheduling.objects import claim_of, is_gated
from tests.fuzz.scheduling.shown import IN_FLIGHT_SECONDS
from tests.fuzz.scheduling.site import (
    LAYOUT,
    MODELS,
    NAMESPACE_NAMES,
    POLICIES,
    PRIORITIES,
    Site,
    devices_of,
    is_live,
    key_of,
)
from tests.fuzz.scheduling.wire import Fate, Wire

NODE: Final = st.sampled_from(sorted(LAYOUT))
NAMESPACE: Final = st.sampled_from(NAMESPACE_NAMES)
MODEL: Final = st.sampled_from([*MODELS, *MODELS[2:]])
PRIORITY: Final = st.sampled_from(PRIORITIES)
FEW: Final = st.integers(0, 7)
FATES: Final = st.sampled_from([*[Fate.DONE] * 4, Fate.LOST, Fate.UNANSWERED])
MODES: Final = st.sampled_from(["", "", "", "SPX/NPS1", "DPX/NPS1", "QPX/NPS1", "CPX/NPS4"])
STEPS: Final = ("come", "run", "begin", "begin", "cross", "cross", "cross", "show", "show", "decide", "decide")
SORTS: Final = ("workload", "workload", "gang", "service of two partitions", "member of a share group", "pod of nobody")
NODE_EVENTS: Final = ("cordon", "taint", "not ready", "little cpu", "well", "goes or comes back")
PARTS: Final = ("heartbeats", "agents", "scheduler", "kubelets", "controllers", "reconciles", *PLURALS)
BEATS_SECONDS: Final = 10.0
LOOK_SECONDS: Final = 2.5
END_ROUNDS: Final = 14
TOGETHER: Final = 200
"""Most reconciles in a row: more would be a loop."""


class Scheduling(RuleBasedStateMachine):
    """One cluster and its history. Over all histories, `fired` counts how often each event really happened, and
    `judged` how often there was something to judge.
    """

    fired: ClassVar[Counter[str]] = Counter()
    judged: ClassVar[Counter[str]] = Counter()
    sequences: ClassVar[int] = 0
    steps: ClassVar[int] = 0

    def __init__(self) -> None:
        super().__init__()
        self.clock, self.wire = FakeClock(), Wire()
        self.site = Site(self.wire, self.clock)
        self.judge = Judge(self.site)
        self.life = Life(self.wire, self.clock)
        self.judge.follow(self.life)
        type(self).sequences += 1

    def count(self, what: str, did: object = True) -> None:
        """Something really happened."""
        self.fired[what] += bool(did)

    # People.

    @initialize(
        crowd=st.lists(st.tuples(NAMESPACE, MODEL, PRIORITY), min_size=1, max_size=10), small=st.integers(0, 12)
    )
    def begin(self, crowd: list[tuple[str, str, int]], small: int) -> None:
        """A cluster in use, with agents that were heard of; `small` models fill it up."""
        self.agents_beat()
        for namespace, model, priority in crowd:
            self.site.add(namespace, model, priority)
        for number in range(small):
            self.site.add(NAMESPACE_NAMES[number % 2], MODELS[0], 0)
        for _ in range(2):
            self.all_go_on()

    @rule(
        sort=st.sampled_from(SORTS),
        namespace=NAMESPACE,
        model=MODEL,
        priority=PRIORITY,
        number=st.integers(1, 4),
        mode=MODES,
    )
    def comes(self, sort: str, namespace: str, model: str, priority: int, number: int, mode: str) -> None:
        """Pods of one sort."""
        if sort == "workload":
            self.site.add(namespace, model, priority, replicas=min(number, 3), mode=mode)
        elif sort == "gang":
            self.site.add(namespace, model, priority, gang=max(number, 2))
        elif sort == "service of two partitions":
            self.site.add(namespace, model, priority, service=True)
        elif sort == "member of a share group":
            self.site.add(namespace, MODELS[number % 2], 0, group=True)
        else:
            self.site.add(namespace, model, priority, owned=False, cpu=("1", "6", "16", "1")[number - 1])
        self.count(f"{sort} comes")

    @precondition(lambda self: self.site.workloads)
    @rule(which=FEW)
    def workload_goes(self, which: int) -> None:
        names = sorted(self.site.workloads)
        self.site.remove(names[which % len(names)])
        self.count("workload goes")

    @precondition(lambda self: self.wire.of(PODS))
    @rule(which=FEW, ends=st.booleans())
    def pod_ends_or_is_deleted(self, which: int, ends: bool) -> None:
        pods = self.wire.of(PODS)
        one = pods[which % len(pods)]
        if ends and one["status"]["phase"] == "Running":
            self.site.finish(one)
            self.count("pod ends")
        elif is_live(one):
            self.site.delete_pod(one)
            self.count("pod is deleted")

    @rule(which=FEW, what=st.sampled_from(["claim is deleted", "claim is touched", "plan is deleted"]))
    def somebody_meddles(self, which: int, what: str) -> None:
        """With objects that are the operator's."""
        kind = REPARTITION_PLANS if what.startswith("plan") else GPU_PARTITION_CLAIMS
        found = self.wire.of(kind)
        if not found:
            return
        one = found[which % len(found)]
        if what == "claim is touched":  # a label, say: whoever decided on the version before meets a conflict
            self.wire.put(kind, one)
        else:
            self.wire.drop(kind, key_of(one))
        self.count(what)

    @rule(namespace=NAMESPACE, model=MODEL, which=FEW)
    def claim_goes_before_its_device_is_given(self, namespace: str, model: str, which: int) -> None:
        """A person deletes it, and another pod of the sort is decided on before Kubernetes schedules the first."""
        self.site.add(namespace, model, 0)
        self.all_go_on(but={"scheduler"})
        found = self._about_to_get()
        if found:
            self.wire.drop(GPU_PARTITION_CLAIMS, found[which % len(found)])
            self.site.add(namespace, model, 0)
            self.all_go_on(but={"scheduler"})
        self.count("claim is deleted before its device is given", found)

    def _about_to_get(self) -> list[str]:
        """The claims of pods that may go, and to which the scheduler has given nothing yet."""
        found = []
        for one in self.wire.of(PODS):
            key = f"{one['metadata']['namespace']}/{claim_of(one)}"
            claim = self.wire.find(RESOURCE_CLAIMS, key)
            if is_live(one) and not is_gated(one) and claim is not None and not devices_of(claim):
                found.append(key)
        return found

    @rule(
        name=st.sampled_from(sorted(POLICIES)),
        paused=st.sampled_from([False, False, True]),
        enabled=st.sampled_from([True, True, False]),
        unavailable=st.integers(0, 2),
        most=st.sampled_from([None, "96Gi", "192Gi"]),
        least=st.sampled_from([None, "48Gi", "96Gi"]),
        modes=st.sampled_from([[], [], ["DPX/NPS1", "QPX/NPS1"]]),
    )
    def policy_changes(self, name: str, most: str | None, least: str | None, modes: list[str], **kept: Any) -> None:
        quotas = [{"namespace": "team-a", "max": most}] if most else []
        if least:
            quotas.append({"namespace": "team-b", "min": least})
        repartition = {"enabled": kept["enabled"], "maxUnavailablePods": kept["unavailable"]}
        self.site.set_policy(name, repartition, paused=kept["paused"], quotas=quotas, allowedModes=modes)
        self.count("policy changes")

    @precondition(lambda self: self.wire.of(PODS))
    @rule(which=FEW)
    def disruption_budget_changes(self, which: int) -> None:
        pods = self.wire.of(PODS)
        self.wire.refusing ^= {pods[which % len(pods)]["metadata"]["name"]}
        self.count("disruption budget changes")

    # Hardware and nodes.

    @rule(nodes=st.sets(NODE, min_size=1))
    def agents_beat(self, nodes: set[str] | None = None) -> None:
        for node in sorted(nodes or LAYOUT):
            self.site.beat(node)
        self.count("agent is heard of")

    @rule(node=NODE, number=FEW, index=FEW, healthy=st.booleans())
    def partition_breaks_or_heals(self, node: str, number: int, index: int, healthy: bool) -> None:
        self.site.set_health(node, number, index, healthy)
        self.count("partition heals" if healthy else "partition breaks")

    @rule(node=NODE, what=st.sampled_from(NODE_EVENTS))
    def node_changes(self, node: str, what: str) -> None:
        if what == "goes or comes back":
            self.count("node goes" if self.site.flip_node(node) else "node comes back")
            return
        fields: dict[str, Any] = {
            "cordon": {"unschedulable": True},
            "taint": {"taints": [{"key": "maintenance", "value": "", "effect": "NoSchedule"}]},
            "not ready": {"ready": False},
            "little cpu": {"allocatable": {"cpu": "2", "memory": "2048Gi", "pods": "40"}},
        }
        if self.wire.find(NODES, node) is not None:
            self.site.set_node(node, **fields.get(what, {}))
            self.count("node changes")

    @rule(node=NODE, number=FEW, index=FEW, leaves=st.sampled_from([False, False, True]))
    def somebody_else_takes_or_leaves(self, node: str, number: int, index: int, leaves: bool) -> None:
        theirs = self.site.theirs()
        if leaves and theirs:
            self.wire.drop(RESOURCE_CLAIMS, key_of(theirs[number % len(theirs)]))
            self.count("somebody else leaves")
        else:
            self.count("somebody else takes", self.site.take(node, number, index))

    # Kubernetes and agents.

    @rule(who=st.lists(st.sampled_from(["agent", "driver", "controllers", "scheduler", "kubelets"]), min_size=1, max_size=4),
          node=NODE)  # fmt: skip
    def somebody_acts(self, who: list[str], node: str) -> None:
        """Each alone, and the others are late."""
        acts: dict[str, tuple[str, Callable[[], object]]] = {
            "agent": ("agent works", lambda: self.site.work(node)),
            "driver": ("driver advertises", lambda: self.site.publish(node)),
            "controllers": ("controllers act", lambda: self.site.replace_pods() + self.site.collect()),
            "scheduler": ("Kubernetes schedules", self.site.schedule),
            "kubelets": ("kubelets act", self.site.run_pods),
        }
        for each in who:
            name, act = acts[each]
            self.count(name, act())
            self.judge.step()

    # The operator, its watches and its requests.

    @rule(what=st.sampled_from(["breaks", "repeats", "shows all"]), plural=st.sampled_from(PLURALS))
    def watch_misbehaves(self, what: str, plural: str) -> None:
        """Or only one of them comes along."""
        if what == "breaks":
            self.count("watch breaks", plural in self.life.behind)
            self.life.relist(plural)
        elif what == "repeats":
            self.count("watch repeats", self.life.repeat(plural))
        else:
            self.count("watch shows all", self.life.watch(plural))

    @rule(steps=st.lists(st.tuples(st.sampled_from(STEPS), FEW, FATES), min_size=2, max_size=14))
    def operator_is_interleaved(self, steps: list[tuple[str, int, Fate]]) -> None:
        """Reconciles stand still between their requests, while others go on and the watches bring what they bring."""
        for step, which, fate in steps:
            crossing = self._interleaved(step, which, fate)
            if fate is Fate.LOST and crossing and which % 2:
                self.time_passes(
                    BEATS_SECONDS + 1
                )  # those that wait are looked at before any watch shows what was done
                self.cycle_decides()
                self._run(self.life.ready)
            self.judge.step()

    def _interleaved(self, step: str, which: int, fate: Fate) -> bool:
        """One step; whether a request crossed."""
        ready, underway, behind = self.life.ready, sorted(self.life.underway), self.life.behind
        if step == "begin" and ready:
            self.count("reconcile begins", self.life.begin(ready[which % len(ready)]))
        elif step == "cross" and underway:
            self.life.let(underway[which % len(underway)], fate)
            self.count(f"request: {fate}")
            return True
        elif step == "show" and behind:
            self.count("watch shows some", self.life.watch(behind[which % len(behind)], 1 + which))
        elif step == "decide":
            self.cycle_decides()
        elif step == "run":
            self._run(ready)
        elif step == "come":
            self.site.add(NAMESPACE_NAMES[which % 2], MODELS[which % 4], PRIORITIES[which % 3])
            self.life.watch("pods")
        return False

    def _run(self, items: list[Item]) -> None:
        for item in items:
            if item in self.life.ready:  # plans go one after the other
                self.life.begin(item)
                self.life.finish(item)

    @rule(steps=st.lists(st.tuples(st.sampled_from(STEPS), FEW, FATES), min_size=6, max_size=30))
    def operator_is_interleaved_for_long(self, steps: list[tuple[str, int, Fate]]) -> None:
        self.operator_is_interleaved(steps)

    def cycle_decides(self) -> None:
        """One cycle."""
        self.count("cycle decides", self.life.decide())
        self.judge.decided()

    @rule(lands=st.lists(st.booleans(), max_size=4))
    def operator_restarts(self, lands: list[bool]) -> None:
        """What is on its way may land yet; nothing else is left of it."""
        for item, landed in zip(sorted(self.life.underway), lands, strict=False):
            if landed:
                self.life.underway[item].at.cross(Fate.DONE)
        self.life.end()
        self.life = Life(self.wire, self.clock)
        self.judge.follow(self.life)
        self.count("operator restarts")

    @rule(seconds=st.sampled_from([0.5, 2.0, 4.0, 11.0, 35.0, 61.0, 700.0]))
    def time_passes(self, seconds: float) -> None:
        """Requests have an end; of one that nobody answered nobody knows whether it was done."""
        if seconds >= IN_FLIGHT_SECONDS:
            for number, item in enumerate(sorted(self.life.underway)):
                self._give_up(item, Fate.LOST if number % 2 else Fate.UNANSWERED)
        self.clock.tick(seconds)
        self.count("time passes")

    def _give_up(self, item: Item, fate: Fate) -> None:
        while item in self.life.underway:
            self.life.let(item, fate)

    @rule(but=st.sets(st.sampled_from(PARTS), max_size=3), approves=st.booleans())
    def all_go_on(self, but: Collection[str] = (), approves: bool = False) -> None:
        """Everybody does what there is to do, once; `but` for those who are late."""
        self.clock.tick(0.2)
        self.count("plan is approved", approves and self.site.approve())
        if "heartbeats" not in but:
            self.agents_beat()
        self._everything_is_shown(but)
        self.cycle_decides()
        if "reconciles" not in but:
            self._reconcile(but)
        self._everything_is_shown(but)
        acts: dict[str, Callable[[], object]] = {
            "agents": lambda: [self.site.publish(node) for node in LAYOUT if self.site.work(node)],
            "scheduler": self.site.schedule,
            "kubelets": self.site.run_pods,
            "controllers": lambda: self.site.replace_pods() + self.site.collect(),
        }
        for part, act in acts.items():
            if part not in but:
                act()
        self.count("all go on", not but)
        self.count("all but some go on", but)

    @rule(rounds=st.integers(2, 5), approves=st.booleans())
    def time_goes_by_for_all(self, rounds: int, approves: bool) -> None:
        """As `all_go_on`, again and again: what takes several steps gets somewhere."""
        for _ in range(rounds):
            self.time_passes(BEATS_SECONDS + 1)
            self.all_go_on(approves=approves)
            self.judge.step()
        self.count("time goes by for all")

    def _everything_is_shown(self, but: Collection[str] = ()) -> None:
        for plural in PLURALS:
            if plural not in but:
                self.life.watch(plural)

    def _reconcile(self, but: Collection[str] = ()) -> None:
        for item in list(self.life.underway):
            self.life.finish(item)
        for _ in range(TOGETHER):
            ready = self.life.ready
            if not ready:
                return
            self.life.begin(ready[0])
            self.life.finish(ready[0])
            self._everything_is_shown(but)

    # What must hold.

    @invariant()
    def nothing_is_violated(self) -> None:
        """After every step."""
        type(self).steps += 1
        self.judge.step()
        assert not self.judge.violations, "; ".join(self.judge.violations)

    def teardown(self) -> None:
        """Faults end, and everything settles; then nobody wants anything any more."""
        try:
            if not self.judge.violations:
                self._settle()
                self.judge.at_rest()
                self._leave()
                self.judge.gone()
                assert not self.judge.violations, "; ".join(self.judge.violations)
        finally:
            self.judged.update(self.judge.fired)
            self.life.end()

    def _settle(self) -> None:
        self.wire.refusing.clear()
        for one in self.site.theirs():
            self.wire.drop(RESOURCE_CLAIMS, key_of(one))
        self.site.heal()
        quiet = 0
        for number in range(END_ROUNDS):
            before = self._moves()
            self.clock.tick(BEATS_SECONDS + 1 if number % 4 == 0 else LOOK_SECONDS)
            self.all_go_on()
            self.nothing_is_violated()
            quiet = quiet + 1 if self._moves() == before else 0
            if quiet > 3:  # one of them after the longest of what waits for time alone
                return

    def _moves(self) -> list[Any]:
        """What the end waits for: who has which place, and where plans stand."""
        told = [
            (key_of(one), str(one.get("status", {}).get("allocation")), one.get("status", {}).get("phase"))
            for resource in (GPU_PARTITION_CLAIMS, REPARTITION_PLANS, PODS)
            for one in self.wire.of(resource)
        ]
        return sorted(told, key=str)

    def _leave(self) -> None:
        for name in list(self.site.workloads):
            self.site.remove(name)
        for one in self.wire.of(PODS):
            self.wire.drop(PODS, key_of(one))
        for _ in range(END_ROUNDS):
            self.clock.tick(BEATS_SECONDS + 1)
            self.all_go_on()
            self.nothing_is_violated()
            if not self.wire.of(GPU_PARTITION_CLAIMS) and not len(self.life.cluster.assumptions):
                return
