"""RepartitionPlans as the API server has them."""

from typing import Any

from tests.builders.gpu import bdf


def plan(
    name: str = "plan-1",
    node: str = "worker-0",
    *,
    phase: str = "Pending",
    numbers: tuple[int, ...] = (0,),
    claim_uid: str | None = None,
    applied_until: str | None = None,
    dry_run: bool = False,
) -> dict[str, Any]:
    """A plan that takes GPUs `numbers` from SPX to CPX; `applied_until` records a step Applying that ended then."""
    spec: dict[str, Any] = {
        "node": node,
        "from": {"gpus": [{"bdf": bdf(number), "mode": "SPX/NPS1"} for number in numbers]},
        "to": {"gpus": [{"bdf": bdf(number), "mode": "CPX/NPS1"} for number in numbers]},
        "dryRun": dry_run,
    }
    if claim_uid is not None:
        spec["claimRef"] = {"namespace": "team-a", "name": "aim-a", "uid": claim_uid}
    step = {"name": "Applying", "startTime": "2026-01-01T00:00:00Z", "endTime": applied_until}
    return {
        "apiVersion": "aim.amd.com/v1beta1",
        "kind": "RepartitionPlan",
        "metadata": {"name": name, "uid": f"plan-{name}", "resourceVersion": "1"},
        "spec": spec,
        "status": {"phase": phase, "steps": [step] if applied_until else []},
    }


def reservation(address: str, partition: int = 0, *, node: str = "worker-0", **fields: Any) -> dict[str, Any]:
    """A place kept for the successor of pod `model-0`; without `evictedTime` it was not evicted yet."""
    return {
        "namespace": "team-a",
        "pod": "model-0",
        "claim": "aim-a",
        "owner": "rs-1",
        "templateHash": "",
        "node": node,
        "bdf": address,
        "partition": partition,
        "mode": "SPX/NPS1",
    } | fields
