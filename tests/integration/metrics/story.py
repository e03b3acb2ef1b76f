"""The story from beginning to end, with rules that act many times sooner than in production."""

import asyncio
import time
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from dashboards.rules.alerts import scaled
from e2e.prometheus.api import Api
from e2e.prometheus.server import Prometheus
from tests.integration.metrics import furniture, scenes_changes, scenes_memory, scenes_operation, scenes_requests
from tests.integration.metrics.judgement import Scene
from tests.integration.metrics.stage import Stage
from tests.integration.metrics.staging import stage

PACE: Final = 60.0
"""So many times sooner: rates are taken over five scrapes, as in production with one a minute."""
PACES: Final[Mapping[str, float]] = {
    "AimRepartitionAwaitsApproval": 2400.0,  # four hours
    "AimRepartitionRolledBack": 300.0,  # told for half an hour
    "AimGpuMemoryFragmented": 600.0,  # an hour
    "AimNodeAgentNotScraped": 30.0,  # an agent that starts anew is longer unread than ten seconds
    "AimOperatorWithoutLeader": 12.0,  # one scrape that fails is no leader
    "AimSloBurnsSlowly": 300.0,  # a quarter of an hour, after the fast burn's two minutes
    "AimRepartitionStuck": 15.0,  # else what a phase takes on a busy machine would be too long
}
"""Of alerts that wait for much longer than others, or for less."""

NOT_PLAYED: Final = frozenset({"AimWebhookUnreachable"})
"""Alerts without a scene: over what the API server tells, which Prometheus does not read here. promtool has their cases."""

_CALM_SECONDS: Final = 8.0


@dataclass(frozen=True, slots=True)
class Told:
    """What is left of the story: Prometheus, from when to when (Unix seconds), the scenes, what went wrong in them.

    `pages`: what processes told in the middle and at the end, each with its kind.
    """

    api: Api
    start: float
    end: float
    scenes: Sequence[Scene]
    problems: Sequence[str]
    pages: Sequence[tuple[str, str]]


def rules() -> dict[str, Any]:
    """Every rule at its pace."""
    made = scaled(PACE)
    for name, pace in PACES.items():
        others = {rule.get("alert"): rule for group in scaled(pace)["groups"] for rule in group["rules"]}
        for group in made["groups"]:
            group["rules"] = [others[name] if rule.get("alert") == name else rule for rule in group["rules"]]
    return made


def at_once(stage: Stage, folder: Path) -> list[Coroutine[Any, Any, None]]:
    """Scenes that have nodes, services and processes of their own."""
    return [
        scenes_memory.full(stage),
        scenes_memory.pieces(stage),
        scenes_memory.taken(stage),
        scenes_memory.overestimated(stage),
        scenes_changes.approval(stage),
        scenes_changes.stuck(stage),
        scenes_changes.unreadable(stage),
        scenes_changes.degraded(stage),
        scenes_operation.sick(stage, folder),
        scenes_operation.lost(stage),
        scenes_operation.certificate(stage),
        scenes_operation.unfigured(stage),
        scenes_operation.webhook(stage),
        scenes_requests.flood(stage),
        scenes_requests.stranger_listed(stage),
        scenes_requests.another_gateway(stage),
    ]


def in_turn(stage: Stage) -> list[Coroutine[Any, Any, None]]:
    """Scenes that all others would notice."""
    return [
        scenes_requests.engines_gone(stage),
        scenes_memory.underestimated(stage),
        scenes_operation.leaderless(stage),
    ]


async def play(prometheus: Prometheus, folder: Path) -> Told:
    """Play it. What fails in a scene is told at the end; raises where the stage itself falls."""
    rules_file = folder / "story.rules.yaml"
    rules_file.write_text(yaml.safe_dump(rules()), encoding="utf-8")
    async with stage(prometheus, folder / "stage", furniture.groups(folder)) as made:
        await furniture.furnish(made)
        async with asyncio.TaskGroup() as tasks:
            steady = tasks.create_task(furniture.steadily(made))
            looking = tasks.create_task(furniture.look_now_and_then(made))
            await asyncio.to_thread(prometheus.load, [rules_file])
            start = time.time()
            await asyncio.sleep(_CALM_SECONDS)
            async with asyncio.TaskGroup() as playing:
                for scene in at_once(made, folder):
                    playing.create_task(scene)
            pages = await made.pages()
            for scene in in_turn(made):
                await scene
            await asyncio.sleep(_CALM_SECONDS)
            pages += await made.pages()
            steady.cancel()
            looking.cancel()
        return Told(prometheus.api, start, time.time(), tuple(made.scenes), tuple(made.problems), pages)
