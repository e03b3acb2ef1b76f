"""Reads what a run has left behind, in etcd, the audit log, the hardware's and the engines' records, into one history."""

import json
import shutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from e2e.plane import Plane
from e2e.run.world import World
from tests.chaos.asking import ROLES, Asking
from tests.chaos.etcd import etcd_address, revisions
from tests.chaos.facts import Kind, Pod
from tests.chaos.history import (
    Asked,
    Attempt,
    Audited,
    Change,
    HardwareChange,
    History,
    Injected,
    Served,
    Traffic,
    audited,
    changes,
)
from tests.chaos.people import NAMESPACE
from tests.chaos.process import RECORD
from tests.chaos.schedule import API_SERVER, ETCD, GATEWAY
from tests.chaos.settled import Scene
from tests.chaos.site import NODES, Site
from tests.integration.operator.running import AIM, DRA

_ON_THE_WAY: Final = frozenset({GATEWAY, API_SERVER, ETCD})
"""Who decides on a request, or on what the gateway knows."""
_RECOVERY_SECONDS: Final = 10.0
_RESOURCES: Final = frozenset({"pods", "pods/eviction", "gpupartitionclaims"})


@dataclass(frozen=True, slots=True)
class Seen:
    """What the run itself has seen. `began`: the machine's date then."""

    began: float
    injected: Sequence[Injected]
    attempts: Sequence[Attempt]
    asking: Asking
    stuck: Sequence[str]
    left: Sequence[str]


def scene(site: Site) -> Scene:
    """The cluster as it is now. Raises AdminError, OSError."""
    admin = site.plane.admin
    spaced = f"namespaces/{NAMESPACE}"

    def items(path: str) -> list[dict[str, object]]:
        return list(admin.get(path)["items"])

    world = World(
        pods=items(f"/api/v1/{spaced}/pods"),
        claims=items(f"{AIM}/{spaced}/gpupartitionclaims"),
        resource_claims=items(f"{DRA}/{spaced}/resourceclaims"),
        services=items(f"{AIM}/{spaced}/inferenceservices"),
        deployments=items(f"/apis/apps/v1/{spaced}/deployments"),
        gpu_nodes=items(f"{AIM}/gpunodes"),
        plans=items(f"{AIM}/repartitionplans"),
    )
    names = [node for nodes in NODES.values() for node in nodes]
    return Scene(world, items("/api/v1/nodes"), {name: _modes(site.state_file(name)) for name in names})


def _modes(state: Path) -> dict[str, str]:
    kept = json.loads(state.read_bytes())
    return {bdf: f"{compute}/{kept['memory']}" for bdf, compute in kept["compute"].items()}


def history(site: Site, seen: Seen) -> History:
    """Everything that happened. Raises PlaneError for a history that is not whole."""
    ended = time.time()
    log = list(_log(site.plane))
    found = tuple(changes(revisions(etcd_address(site.plane)), log, seen.began, ended))
    return History(
        changes=found,
        audited=tuple(one for one in log if one.resource in _RESOURCES),
        faults=tuple(seen.injected),
        hardware=tuple(_hardware(site.folder)),
        attempts=tuple(seen.attempts),
        traffic=_traffic(site, seen, found),
        stuck=tuple(seen.stuck),
        left=tuple(seen.left),
        ended=ended,
    )


def keep(found: History, site: Site, folder: Path) -> None:
    """Write down what a person needs who wants to know how something came about: every change, what failed, the plane's
    logs."""
    with (folder / "history.jsonl").open("w", encoding="utf-8") as file:
        for one in found.changes:
            what = {"revision": one.revision, "at": one.done, "who": one.who, "kind": one.kind, "key": one.key}
            file.write(
                json.dumps(what | {"after": None if one.after is None else asdict(one.after)}, default=sorted) + "\n"
            )
        failed = [one for one in found.traffic.asked if one.ended != "200"]
        facts: list[Injected | Attempt | HardwareChange | Asked] = [
            *found.faults,
            *found.attempts,
            *found.hardware,
            *failed,
        ]
        for each in facts:
            file.write(json.dumps({"fact": type(each).__name__} | asdict(each), default=sorted) + "\n")
    shutil.copytree(site.plane.folder / "logs", folder / "plane")
    shutil.copy(site.plane.audit_log, folder / "audit.log")


def _log(plane: Plane) -> Iterator[Audited]:
    """The audit log. A line that a killed API server did not finish is none."""
    with plane.audit_log.open(encoding="utf-8", errors="replace") as file:
        for line in file:
            try:
                entry = json.loads(line)
            except ValueError:
                continue
            if (one := audited(entry)) is not None:
                yield one


def _hardware(folder: Path) -> Iterator[HardwareChange]:
    for record in sorted(folder.glob(f"*/{RECORD}")):
        for line in record.read_text(encoding="utf-8").splitlines():
            one = json.loads(line)
            yield HardwareChange(one["node"], one["what"], frozenset(one["gpus"]), one["begun"], one["ended"])


def _traffic(site: Site, seen: Seen, found: Sequence[Change]) -> Traffic:
    engines: dict[str, set[str]] = {name: set() for name in ROLES}
    moved: list[tuple[float, float]] = []
    for change in found:
        pod = change.after or change.before
        if change.kind is Kind.POD and isinstance(pod, Pod) and pod.service in engines:
            engines[pod.service].add(pod.uid)
            moved.append((change.begun, change.done))
    hurt = [(one.begun, one.ended) for one in seen.injected if one.targets & _ON_THE_WAY]
    shift = time.monotonic() - time.time()
    return Traffic(
        tuple(seen.asking.asked),
        tuple(site.engines.entries()),
        {
            f"{NAMESPACE}/{name}": Served(role.minimum, role.maximum, frozenset(engines[name]))
            for name, role in ROLES.items()
        },
        tuple((begun + shift, ended + shift + _RECOVERY_SECONDS) for begun, ended in (*hurt, *moved)),
    )
