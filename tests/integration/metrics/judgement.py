"""What alerts did over the whole story, held against the scenes that were to make them fire. Pure.

- each alert that a scene names fires in it, for what the scene broke;
- it is over before the scene is;
- outside of the scenes that name it nothing fires: not before, not after, and not for anything else.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from e2e.prometheus.api import Series

#: Evaluations and scrapes are a second apart, and their times are the servers'.
_APART_SECONDS = 1.5


@dataclass(frozen=True, slots=True)
class Expected:
    """An alert that a scene makes fire. `labels`: what it has to say of whom; others may be there as well."""

    alert: str
    labels: Mapping[str, str] = field(default_factory=dict)

    def is_met_by(self, labels: Mapping[str, str]) -> bool:
        """Whether an alert with these labels is the one."""
        return labels.get("alertname") == self.alert and self.labels.items() <= labels.items()

    def __str__(self) -> str:
        return f"{self.alert} {dict(self.labels)}"


@dataclass(frozen=True, slots=True)
class Scene:
    """What happened, from when to when (Unix seconds), what must fire in it, and what may besides."""

    name: str
    start: float
    end: float
    expected: Sequence[Expected]
    allowed: Sequence[Expected] = ()

    def covers(self, at: float) -> bool:
        """Whether that moment is within the scene."""
        return self.start - _APART_SECONDS <= at <= self.end + _APART_SECONDS


def misfires(scenes: Sequence[Scene], firing: Iterable[Series]) -> list[str]:
    """A sentence for each thing that is wrong. `firing`: series of `ALERTS{alertstate="firing"}` over the story."""
    firing = list(firing)
    return [*_silent(scenes, firing), *_unasked(scenes, firing)]


def _silent(scenes: Sequence[Scene], firing: Sequence[Series]) -> Iterator[str]:
    for scene in scenes:
        for expected in scene.expected:
            told = [one for one in firing if expected.is_met_by(one.labels)]
            if not any(scene.start <= at <= scene.end for one in told for at, _ in one.points):
                yield f"{scene.name}: {expected} did not fire"


def _unasked(scenes: Sequence[Scene], firing: Sequence[Series]) -> Iterator[str]:
    for series in firing:
        for at, _ in series.points:
            if not any(
                scene.covers(at) and any(one.is_met_by(series.labels) for one in (*scene.expected, *scene.allowed))
                for scene in scenes
            ):
                name = _scene_at(scenes, at)
                yield f"{series.labels.get('alertname')} fired {name}, for {_who(series.labels)}, and should not have"
                break


def _scene_at(scenes: Sequence[Scene], at: float) -> str:
    present = [scene.name for scene in scenes if scene.covers(at)]
    if present:
        return f"during {', '.join(present)}"
    ended = [scene for scene in scenes if scene.end < at]
    return f"after {max(ended, key=lambda scene: scene.end).name}" if ended else "before the first scene"


def _who(labels: Mapping[str, str]) -> str:
    left_out = ("__name__", "alertname", "alertstate")
    return str({name: value for name, value in labels.items() if name not in left_out})
