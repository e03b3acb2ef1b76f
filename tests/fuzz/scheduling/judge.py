"""What must hold, judged from what is stored, from the hardware and from what the watches have shown: as plain JSON,
and by nothing that the operator is made of.

Numbers are those of the design's invariants: 1 one holder a partition, 2 only what a living agent reported, 3 nobody
who did not opt in, 4 no mode change under a holder, 5 budgets.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Final

from api.quantity import parse_quantity
from controller.runtime.client.core import PODS, RESOURCE_CLAIMS
from controller.state.assumptions import Assumption
from controller.state.kinds import GPU_PARTITION_CLAIMS, REPARTITION_PLANS
from tests.builders.cluster import Object
from tests.fuzz.scheduling.ending import Ending
from tests.fuzz.scheduling.life import Life
from tests.fuzz.scheduling.objects import BEGUN, HARDWARE, assigned_to, claim_of, is_gated, phase_of, places_of
from tests.fuzz.scheduling.shown import IN_FLIGHT_SECONDS, Place, Shown
from tests.fuzz.scheduling.site import COOLDOWN_SECONDS, POLICIES, Site, devices_of, is_live, key_of
from tests.fuzz.scheduling.wire import OPERATOR, Change

MOVED_SECONDS: Final = 600.0
"""After that a moved pod whose successor never came counts no longer."""


class Judge:
    """Hears every change of the API server and everything that the operator is shown. `violations` are sentences."""

    def __init__(self, site: Site) -> None:
        self.site, self.wire, self.clock = site, site.wire, site.clock
        self.violations: list[str] = []
        self.fired: Counter[str] = Counter()
        self._life: Life | None = None
        self._shown = Shown(site.clock)
        self._known: frozenset[Assumption] = frozenset()
        self._evicted: dict[str, tuple[float, str]] = {}
        self._moved: dict[str, tuple[float, str]] = {}
        self._changed_at: dict[tuple[str, str], datetime] = {}
        self.wire.on_change.append(self._heard)
        self.wire.on_evict = self._evicts
        self._ending = Ending(site, self._add, self.fired)

    def _add(self, text: str) -> None:
        if text not in self.violations:
            self.violations.append(text)

    def follow(self, life: Life) -> None:
        """A new life, which has listed everything."""
        self._life = life
        self._known = frozenset()
        self._shown.follow(life)

    # After a cycle.

    def decided(self) -> None:
        """What a cycle has decided just now: on places that were reported, of living agents, within quotas."""
        life = self._life
        if life is None:
            return
        assumed = frozenset(life.cluster.assumptions)
        new, self._known = assumed - self._known, assumed
        for one in new:
            self._decided_on(life, one)
        for policy, node in POLICIES.items():
            for namespace in {one.claim.partition("/")[0] for one in new if one.node == node}:
                self._within_quota(life, policy, namespace, assumed)

    def _decided_on(self, life: Life, one: Assumption) -> None:
        self.fired["decisions"] += 1
        if not self._shown.is_fresh(one.node):
            self._add(f"2: {one.claim} is decided for {one.node}, whose agent is silent")
        reports = self._shown.recent("gpunodes", one.node, 0.0)
        modes = {each["bdf"]: each["mode"] for each in reports[-1]["status"]["gpus"]} if reports else {}
        for part in one.partitions:
            place = (one.node, part.bdf, part.index)
            if not self._shown.reported(place, modes.get(part.bdf, ""), 0.0):
                self._add(f"2: {one.claim} is decided for {place}, which is not reported")
            wanted = life.seen["gpupartitionclaims"].get(one.claim, {}).get("spec", {}).get("requirement", {})
            if wanted.get("modes") and modes.get(part.bdf) not in wanted["modes"]:
                self._add(f"2: {one.claim} asks for {wanted['modes']} and is decided for {modes.get(part.bdf)}")
        for key, claim in life.seen["gpupartitionclaims"].items():
            twice = {place for place, _ in places_of(claim)} & {(one.node, p.bdf, p.index) for p in one.partitions}
            if key != one.claim and twice:
                self._add(f"1: {one.claim} is decided for {twice}, which {key} has")

    def _within_quota(self, life: Life, policy: str, namespace: str, assumed: Iterable[Assumption]) -> None:
        node, found = POLICIES[policy], life.seen["gpusharingpolicies"].get(policy)
        most = [
            parse_quantity(quota["max"])
            for quota in (found or {}).get("spec", {}).get("quotas", ())
            if quota["namespace"] == namespace and "max" in quota
        ]
        if not most:
            return
        self.fired["quotas asked"] += 1
        sizes = dict(self._sizes(node))
        held = {
            place
            for claim in life.seen["gpupartitionclaims"].values()
            if claim["metadata"]["namespace"] == namespace
            for place, _ in places_of(claim)
            if place[0] == node
        }
        held |= {
            (one.node, part.bdf, part.index)
            for one in assumed
            if one.node == node and one.claim.startswith(f"{namespace}/")
            for part in one.partitions
        }
        used = sum(sizes.get(place, 0) for place in held)
        if used > most[0]:
            self._add(f"quota: {namespace} is given {used} of {most[0]} bytes on {node}")

    def _sizes(self, node: str) -> Iterator[tuple[Place, int]]:
        for report in self._shown.recent("gpunodes", node, 0.0)[-1:]:
            for each in report["status"]["gpus"]:
                for one in each["partitions"]:
                    yield (node, each["bdf"], one["id"]), one["bytes"]

    # As writes land.

    def _heard(self, change: Change) -> None:
        if change.who != OPERATOR:
            if change.plural == "pods" and change.after is None and change.before is not None:
                self._evicted.pop(change.before["metadata"]["uid"], None)
            elif change.plural == "repartitionplans" and change.after is None and change.before is not None:
                # what it says of the past goes with it; the agent's own word stays
                self._changed_at.pop((change.before["spec"]["node"], key_of(change.before)), None)
            elif change.plural == "gpunodes":
                self._agent_says(change.key, change.after)
            return
        self.fired[f"operator writes {change.plural}"] += 1
        if change.plural == "gpupartitionclaims" and change.after is not None:
            self._bound(change.before, change.after)
        elif change.plural == "gpunodes" and change.after is not None:
            self._ordered(change.before or {}, change.after)
        elif change.plural == "repartitionplans" and change.after is not None:
            self._planned(change.before or {}, change.after)
        elif change.plural == "pods":
            self._touched(change.before, change.after)

    def _agent_says(self, node: str, obj: Object | None) -> None:
        done = (obj or {}).get("status", {}).get("operation", {})
        if done.get("phase") == "Succeeded":
            self._changed_at[node, "agent"] = datetime.fromisoformat(done["endTime"])
        elif obj is None:
            self._changed_at.pop((node, "agent"), None)

    def _bound(self, before: Object | None, after: Object) -> None:
        had = {place for place, _ in places_of(before or {})}
        for place, mode in places_of(after):
            if place in had:
                continue
            name = key_of(after)
            self.fired["places written"] += 1
            if not self._shown.reported(place, mode, IN_FLIGHT_SECONDS):
                self._add(f"2: {name} is bound to {place} in {mode}, which is not reported")
            adopted = any(key_of(one) == name and devices_of(one) for one in self.wire.of(RESOURCE_CLAIMS))
            if not adopted and not self._shown.is_fresh(place[0], IN_FLIGHT_SECONDS):
                self._add(f"2: {name} is bound to {place}, whose agent is silent")

    def _ordered(self, before: Object, after: Object) -> None:
        """The operator orders a change: only what a plan on record says, and what nobody of ours holds."""
        operation = after["spec"].get("operation")
        if operation is None or operation == before.get("spec", {}).get("operation"):
            return
        node = after["metadata"]["name"]
        self.fired["operations ordered"] += 1
        owners = [
            plan for plan in self.wire.of(REPARTITION_PLANS)
            if operation["id"].startswith(plan["metadata"]["uid"]) and phase_of(plan) in HARDWARE
        ]  # fmt: skip
        if not owners:
            self._add(f"4: {node} is ordered {operation['id']}, of which no plan's status says so")
        targets = {one["bdf"]: one["mode"] for one in operation["to"]["gpus"]}
        touched = self.site._touched(node, targets)
        for claim in self.wire.of(GPU_PARTITION_CLAIMS):
            for place, _ in places_of(claim):
                if place[0] == node and place[1] in touched:
                    self._add(f"4: {node} is ordered to change {place[1]}, which {key_of(claim)} has")

    def _planned(self, before: Object, after: Object) -> None:
        """A plan begins: within its policy's rest and number of nodes."""
        if not before or phase_of(before) in BEGUN or phase_of(after) not in BEGUN:
            if phase_of(after) not in BEGUN and phase_of(before) in HARDWARE:
                self._changed_at[after["spec"]["node"], key_of(after)] = self.clock.now()
            return
        node = after["spec"]["node"]
        self.fired["plans begun"] += 1
        policy = next((name for name, ruled in POLICIES.items() if ruled == node), None)
        others = {
            plan["spec"]["node"] for plan in self.wire.of(REPARTITION_PLANS)
            if plan["metadata"]["uid"] != after["metadata"]["uid"] and phase_of(plan) in BEGUN
        }  # fmt: skip
        if node in others:
            self._add(f"5: two plans change {node} at once")
        if policy is None:
            return
        if len(others) + 1 > 1:
            self._add(f"5: {len(others) + 1} nodes change at once, maxParallelNodes is 1")
        changed = max((at for (there, _), at in self._changed_at.items() if there == node), default=None)
        rested = (self.clock.now() - changed).total_seconds() if changed is not None else COOLDOWN_SECONDS
        if rested < COOLDOWN_SECONDS:
            self._add(f"5: {node} changes again {rested:.0f} s after its last change, its rest is {COOLDOWN_SECONDS}")
        specs = [each["spec"] for each in self._shown.recent("gpusharingpolicies", policy)]
        if all(spec.get("paused") or not spec["repartition"]["enabled"] for spec in specs):
            self._add(f"5: {node} changes, which policy {policy} does not let it")

    def _touched(self, before: Object | None, after: Object | None) -> None:
        one = before or after or {}
        if one["metadata"].get("annotations", {}).get("aim.amd.com/gpu-sharing") != "true":
            self._add(f"3: pod {key_of(one)} did not opt in, and is changed")
        if before is not None and after is not None and is_gated(before) and not is_gated(after):
            self.fired["gates opened"] += 1
            self._opened(after)

    def _opened(self, one: Object) -> None:
        name = one["spec"]["resourceClaims"][0]["resourceClaimName"]
        key = f"{one['metadata']['namespace']}/{name}"
        claims = [claim for claim in self.wire.of(GPU_PARTITION_CLAIMS) if key_of(claim) == key and places_of(claim)]
        told = [] if claims else self._about_to_get(one)
        if not claims and not told:
            self._add(f"2: the gate of pod {key_of(one)} opens, and neither claim nor pin has a place for it")
        for place, mode in told:
            self._stands(f"pod {key_of(one)}", place, mode)
        size = int(one["metadata"]["annotations"].get("aim.amd.com/gang-size", 1))
        if size > 1:
            self._together(one, size)

    def _about_to_get(self, one: Object) -> list[tuple[Place, str]]:
        """The places that a pod was let go for, while its own ResourceClaim is there, and nothing is allocated yet."""
        found = self.wire.find(RESOURCE_CLAIMS, f"{one['metadata']['namespace']}/{claim_of(one)}")
        owners = found["metadata"].get("ownerReferences", ()) if found is not None else ()
        if found is None or devices_of(found) or one["metadata"]["uid"] not in {each["uid"] for each in owners}:
            return []
        return assigned_to(one)

    def _stands(self, who: str, place: Place, mode: str) -> None:
        """Whoever gets a place gets what a living agent reported, as far as was seen while the request was made."""
        if not self._shown.reported(place, mode, IN_FLIGHT_SECONDS):
            self._add(f"2: {who} is bound to {place} in {mode}, which is not reported")
        elif not self._shown.is_fresh(place[0], IN_FLIGHT_SECONDS):
            self._add(f"2: {who} is bound to {place}, whose agent is silent")

    def _together(self, one: Object, size: int) -> None:
        """A gang's gates open once all its members have places; one of a gang that runs opens alone."""
        self.fired["gates of gangs opened"] += 1
        gang = one["metadata"]["annotations"]["aim.amd.com/gang"]
        members = [
            each for each in self.wire.of(PODS)
            if each["metadata"]["annotations"].get("aim.amd.com/gang") == gang and is_live(each)
        ]  # fmt: skip
        if any(not is_gated(each) for each in members if key_of(each) != key_of(one)):
            return
        claims = {key_of(claim) for claim in self.wire.of(GPU_PARTITION_CLAIMS) if places_of(claim)}
        bound = [each for each in members if f"{each['metadata']['namespace']}/{claim_of(each)}" in claims]
        if len(bound) < size:
            self._add(f"gang: a gate of {gang} opens while {len(bound)} of {size} have a place")

    # Evictions.

    def _evicts(self, one: Object) -> None:
        uid, name = one["metadata"]["uid"], key_of(one)
        if one["metadata"]["annotations"].get("aim.amd.com/gpu-sharing") != "true":
            self._add(f"3: pod {name} did not opt in, and is evicted")
        if "deletionTimestamp" in one["metadata"]:
            return
        node = one["spec"].get("nodeName") or self._bound_node(one)
        plans = [
            plan for plan in self.wire.of(REPARTITION_PLANS)
            for kept in (plan.get("status") or {}).get("reservations") or ()
            if kept["pod"] == one["metadata"]["name"] and phase_of(plan) in BEGUN
        ]  # fmt: skip
        claims = [
            claim for claim in self.wire.of(GPU_PARTITION_CLAIMS)
            if uid in ((claim.get("status") or {}).get("nomination") or {}).get("victims", ())
        ]  # fmt: skip
        self.fired["evictions for plans" if plans else "evictions for claims"] += 1
        if not plans and not claims:
            self._add(f"5: pod {name} is evicted, and nobody has a place on record for whom or for what")
        if plans and not any(self._may_move(plan, one) for plan in plans):
            self._add(f"5: pod {name} is evicted for a plan that nobody approved, and for nobody who matters more")
        policy = next((policy for policy, ruled in POLICIES.items() if ruled == node), None)
        specs = [each["spec"] for each in self._shown.recent("gpusharingpolicies", policy)] if policy else []
        if specs and all(spec.get("paused") for spec in specs):
            self._add(f"5: pod {name} is evicted while policy {policy} is paused")
        limit = max((spec["repartition"]["maxUnavailablePods"] for spec in specs), default=1)
        down = set(self._evicted) | set(self._moved)
        if len(down) >= limit:
            self._add(f"5: pod {name} is evicted while {len(down)} of {limit} pods are down: {sorted(down)}")
        now = self.clock.monotonic()
        self._evicted[uid] = now, name
        if plans:
            self._moved[uid] = now, one["metadata"].get("labels", {}).get("workload", "")

    def _bound_node(self, one: Object) -> str:
        key = f"{one['metadata']['namespace']}/{claim_of(one)}"
        return next((place[0] for claim in self.wire.of(GPU_PARTITION_CLAIMS) if key_of(claim) == key
                     for place, _ in places_of(claim)), "")  # fmt: skip

    def _may_move(self, plan: Object, one: Object) -> bool:
        if plan["spec"].get("approved"):
            return True
        wanted = plan["spec"].get("claimRef", {})
        waits = [
            each for each in self.wire.of(PODS)
            if f"{each['metadata']['namespace']}/{claim_of(each)}" == f"{wanted.get('namespace')}/{wanted.get('name')}"
        ]  # fmt: skip
        return any(each["spec"]["priority"] > one["spec"]["priority"] for each in waits)

    # After every step.

    def step(self) -> None:
        """What must hold of everything that is stored."""
        self._settle_moves()
        self._hold_once()
        self._share()
        if self._life is not None and self._life.failures:
            self._add("a handler failed at an event")

    def _settle_moves(self) -> None:
        """A move is over once all of the workload's pods serve, or after ten minutes."""
        now = self.clock.monotonic()
        for uid, (at, name) in list(self._moved.items()):
            workload = self.site.workloads.get(name)
            serving = [] if workload is None else [
                each for each in self.site.pods_of(workload)
                if each["status"]["phase"] == "Running" and is_live(each)
            ]  # fmt: skip
            if workload is None or len(serving) >= workload.replicas or now - at > MOVED_SECONDS:
                del self._moved[uid]

    def _hold_once(self) -> None:
        """No two claims have one partition, nobody has one in another mode than its GPU's, and none is allocated twice."""
        holders: dict[Place, str] = {}
        modes = {(node, each.bdf): str(each.mode) for node, gpus in self.site.hardware.items() for each in gpus}
        for claim in self.wire.of(GPU_PARTITION_CLAIMS):
            name = key_of(claim)
            for place, mode in places_of(claim):
                if place in holders:
                    self._add(f"1: {place} is bound to {holders[place]} and {name}")
                else:
                    holders[place] = name
                if modes[place[:2]] != mode:
                    self._add(f"2: {name} has {place} in {mode}, the GPU is in {modes[place[:2]]}")
        self._about_to_hold(holders)
        twice = [each for each, count in Counter(self.site.allocated()).items() if count > 1]
        if twice:
            self._add(f"1: {twice} are allocated twice")

    def _about_to_hold(self, holders: dict[Place, str]) -> None:
        """What pods are about to get is nobody else's: their claim may be gone, or may not tell yet."""
        for one in self.wire.of(PODS):
            key = f"{one['metadata']['namespace']}/{claim_of(one)}"
            for place, _ in self._about_to_get(one) if is_live(one) and not is_gated(one) else ():
                self.fired["about to get"] += 1
                if holders.setdefault(place, key) != key:
                    self._add(f"1: {place} is bound to {holders[place]}, and pod {key_of(one)} is about to get it")

    def _share(self) -> None:
        """Members of a share group never have more than its partition."""
        for claim in self.wire.of(GPU_PARTITION_CLAIMS):
            shares = (claim.get("status") or {}).get("shares") or ()
            if shares:
                self.fired["shares looked at"] += 1
                (device,) = claim["status"]["allocation"]["devices"]
                if sum(one["bytes"] for one in shares) > device["bytes"]:
                    self._add(f"1: members of {key_of(claim)} have more than its partition")

    def at_rest(self) -> None:
        """Everything works and has settled."""
        if self._life is not None:
            self._ending.at_rest(self._life)

    def gone(self) -> None:
        """Nobody wants anything any more."""
        if self._life is not None:
            self._ending.gone(self._life)
