"""What pods require of the pods around them: judged before they are pinned, and where it cannot be, no endless loop."""

from pathlib import Path
from typing import Any

import pytest

from e2e.plane import Plane
from tests.integration.operator.running import Object, Running, deployment, opt_in, running
from tests.integration.operator.short_patience import PROGRAM

pytestmark = [pytest.mark.plane, pytest.mark.timeout(180)]


def _apart(name: str, **term: Any) -> Object:
    """Required anti-affinity of a Deployment's pods by host."""
    selector = {"matchLabels": {"app": name}}
    required = [{"topologyKey": "kubernetes.io/hostname", "labelSelector": selector, **term}]
    return {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": required}}


async def _claims_of(cluster: Running, name: str) -> list[Object]:
    return [claim for claim in await cluster.claims() if claim["spec"]["podRef"]["name"].startswith(f"{name}-")]


async def _saying(cluster: Running, name: str, word: str) -> Object | None:
    found = [one for one in await _claims_of(cluster, name) if word in one.get("status", {}).get("explanation", "")]
    return found[0] if found else None


async def _allocated(cluster: Running, name: str, count: int) -> list[Object] | None:
    found = [one for one in await _claims_of(cluster, name) if one.get("status", {}).get("phase") == "Allocated"]
    return found if len(found) == count else None


def _nodes(claims: list[Object]) -> list[str]:
    return sorted(claim["status"]["allocation"]["node"] for claim in claims)


async def test_pods_that_must_be_apart_get_a_node_each_and_none_is_made_anew_for_ever(
    plane: Plane, tmp_path: Path
) -> None:
    """`known` can be judged; of `unseen` only the scheduler knows which namespaces it means."""
    nodes = {"a": "DPX/NPS1", "b": "DPX/NPS1"}
    async with running(plane, tmp_path, nodes, gpus=2, program=PROGRAM) as cluster:
        here = {"matchLabels": {"kubernetes.io/metadata.name": cluster.namespace}}
        known, unseen = _apart("known"), _apart("unseen", namespaceSelector=here)
        await cluster.create(cluster.deployments_path, deployment("known", 3, opt_in(), affinity=known))
        await cluster.create(cluster.deployments_path, deployment("unseen", 3, opt_in(), affinity=unseen))
        both = sorted(cluster.names.values())
        placed = await cluster.eventually("two are apart", lambda: _allocated(cluster, "known", 2))
        assert _nodes(placed) == both
        waiting = await cluster.eventually("the third says why", lambda: _saying(cluster, "known", "PodAntiAffinity"))
        assert waiting["status"]["phase"] == "Pending"
        moved = await cluster.eventually("the refused one goes elsewhere", lambda: _allocated(cluster, "unseen", 2))
        assert _nodes(moved) == both
        stuck = await cluster.eventually(
            "the third is refused", lambda: _saying(cluster, "unseen", "scheduler refuses")
        )
        (condition,) = [one for one in stuck["status"]["conditions"] if one["type"] == "Stuck"]
        assert condition["reason"] == "SchedulerRefused"
        assert "anti-affinity" in condition["message"], "the scheduler's own words"
        assert "another node" in condition["message"], "the remedy"
        pods = {pod["metadata"]["name"] for pod in await cluster.pods()}
        await cluster.delete(f"{cluster.pods_path}/{moved[0]['spec']['podRef']['name']}")
        await cluster.eventually("its place is the third's", lambda: _allocated(cluster, "unseen", 2))
        assert stuck["spec"]["podRef"]["name"] in pods
