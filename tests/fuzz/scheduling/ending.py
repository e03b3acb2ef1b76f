"""What must hold at the end, when everything works and has settled: nobody waits for nothing, and nothing is left."""

from collections import Counter
from collections.abc import Callable, Iterator

from api.quantity import parse_quantity
from controller.runtime.client.core import NODES, PODS
from controller.state.kinds import GPU_NODES, GPU_PARTITION_CLAIMS, GPU_SHARING_POLICIES, REPARTITION_PLANS
from tests.builders.cluster import Object
from tests.fuzz.scheduling.life import Life
from tests.fuzz.scheduling.objects import BEGUN, is_gated, phase_of, places_of
from tests.fuzz.scheduling.shown import Place
from tests.fuzz.scheduling.site import LAYOUT, POLICIES, Site, is_live, key_of


class Ending:
    """Judges the end of one history; `add` takes a violation."""

    def __init__(self, site: Site, add: Callable[[str], None], fired: Counter[str]) -> None:
        self.site, self.wire = site, site.wire
        self._add = add
        self.fired = fired

    def at_rest(self, life: Life) -> None:
        """Nobody waits for a place that is plainly there, and nothing of the operator's stays in doubt."""
        for one in life.cluster.assumptions:
            self._add(f"6: it is still assumed that {one.claim} has {one.partitions} on {one.node}")
        places = Counter(place for claim in self.wire.of(GPU_PARTITION_CLAIMS) for place, _ in places_of(claim))
        for held, count in places.items():
            if count > 1:
                self._add(f"1: {held} is bound to {count} claims, and stays so")
        if self._kept():
            return
        for claim, waits in self._waiting():
            place = self._plain_place(claim, waits)
            if place is not None:
                why = (claim.get("status") or {}).get("explanation")
                self._add(f"6: {key_of(claim)} waits, and {place} is free and fits: {why}")

    def _kept(self) -> bool:
        """Whether a place is kept for somebody, or a change is under way: who may have what is then no plain matter."""
        plans = self.wire.of(REPARTITION_PLANS)
        if any(phase_of(plan) in BEGUN or (plan.get("status") or {}).get("reservations") for plan in plans):
            return True
        claims = self.wire.of(GPU_PARTITION_CLAIMS)
        if any((claim.get("status") or {}).get("nomination") for claim in claims):
            return True
        return any(node["spec"].get("operation") for node in self.wire.of(GPU_NODES))

    def _waiting(self) -> Iterator[tuple[Object, Object]]:
        pods = {one["metadata"]["uid"]: one for one in self.wire.of(PODS)}
        for claim in self.wire.of(GPU_PARTITION_CLAIMS):
            one = pods.get(claim["spec"].get("podRef", {}).get("uid", ""))
            status, wanted = claim.get("status") or {}, claim["spec"]["requirement"]
            alone = one is not None and "aim.amd.com/gang" not in one["metadata"]["annotations"] and is_live(one)
            if alone and one is not None and is_gated(one) and not status.get("allocation") and wanted["count"] == 1:
                self.fired["waiting at the end"] += 1
                yield claim, one

    def _plain_place(self, claim: Object, one: Object) -> Place | None:
        """A partition that anybody could see is free for the claim."""
        need, modes = parse_quantity(claim["spec"]["requirement"]["memory"]), claim["spec"]["requirement"].get("modes")
        held = {place for each in self.wire.of(GPU_PARTITION_CLAIMS) for place, _ in places_of(each)}
        taken = set(self.site.allocated())
        limited = {name for name in POLICIES if self._limits(name, claim["metadata"]["namespace"])}
        for node in LAYOUT:
            if any(POLICIES[name] == node for name in limited) or self._cpu_short(node, one):
                continue
            for each in self.site.hardware[node]:
                for part in each.partitions:
                    place = (node, each.bdf, part.id.index)
                    fits = part.healthy and part.bytes >= need and (not modes or str(each.mode) in modes)
                    if fits and place not in held and (node, part.device) not in taken:
                        return place
        return None

    def _limits(self, policy: str, namespace: str) -> bool:
        (found,) = [each for each in self.wire.of(GPU_SHARING_POLICIES) if each["metadata"]["name"] == policy]
        return any(quota["namespace"] == namespace for quota in found["spec"].get("quotas", ()))

    def _cpu_short(self, node: str, wanted: Object) -> bool:
        """Whether it may be CPU that lacks there."""
        used = sum(
            _cpu(one)
            for one in self.wire.of(PODS)
            if node in (one["spec"].get("nodeName"), one["spec"].get("nodeSelector", {}).get("kubernetes.io/hostname"))
        )
        found = self.wire.find(NODES, node)
        return found is None or used + _cpu(wanted) > int(found["status"]["allocatable"]["cpu"])

    def gone(self, life: Life) -> None:
        """Once nobody wants anything any more, nothing is left."""
        for claim in self.wire.of(GPU_PARTITION_CLAIMS):
            self._add(f"6: claim {key_of(claim)} is left behind")
        for key, what in (
            ("assumptions", len(life.cluster.assumptions)),
            ("waiting demands", life.cycle.waiting),
            ("nominations", len(life.cluster.nominations)),
        ):
            if what:
                self._add(f"6: {what} {key} are left behind")


def _cpu(one: Object) -> int:
    return int(one["spec"]["containers"][0]["resources"]["requests"]["cpu"])
