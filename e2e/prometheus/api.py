"""Prometheus' HTTP API, as far as tests ask it: queries at one moment and over a time, alerts, rules, targets."""

import http.client
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from e2e.plane.ports import LOOPBACK
from e2e.prometheus.errors import QueryRefused

_LIMIT_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Series:
    """One series: its labels (`__name__` among them where it has a name) and its points, (Unix seconds, value)."""

    labels: Mapping[str, str]
    points: Sequence[tuple[float, float]]

    @property
    def last(self) -> float:
        """The newest value."""
        return self.points[-1][1]

    @property
    def values(self) -> Sequence[float]:
        """All values, in order of time."""
        return [value for _, value in self.points]

    @property
    def changes(self) -> bool:
        """Whether its values differ; several NaN in a row are no change."""
        return len({"NaN" if math.isnan(value) else value for value in self.values}) > 1


@dataclass(frozen=True, slots=True)
class Api:
    """Asks one server on the loopback address. Methods raise QueryRefused, OSError and http.client.HTTPException."""

    port: int

    def instant(self, expression: str, at: float | None = None) -> list[Series]:
        """The value of an expression now, or at `at`, Unix seconds; a scalar is a series without labels."""
        asked = {"query": expression} | ({} if at is None else {"time": f"{at:.3f}"})
        return list(_series(self._ask("query", asked)))

    def over(self, expression: str, start: float, end: float, step_seconds: float = 1.0) -> list[Series]:
        """The values of an expression from `start` to `end`, Unix seconds."""
        asked = {"query": expression, "start": f"{start:.3f}", "end": f"{end:.3f}", "step": f"{step_seconds:g}"}
        return list(_series(self._ask("query_range", asked)))

    def rules(self) -> list[Mapping[str, Any]]:
        """Every rule as it stands, alerts and recordings, with `health` and `lastError`."""
        groups: Sequence[Mapping[str, Any]] = self._ask("rules", {})["groups"]
        return [rule for group in groups for rule in group["rules"]]

    def targets(self) -> list[Mapping[str, Any]]:
        """Every target with `labels`, `health` ("up") and `lastError`."""
        found: list[Mapping[str, Any]] = self._ask("targets", {"state": "active"})["activeTargets"]
        return found

    def names(self) -> set[str]:
        """The names of all series that were ever stored."""
        return set(self._ask("label/__name__/values", {}))

    def series(self, match: str) -> list[Mapping[str, str]]:
        """The labels of all stored series that a selector chooses."""
        found: list[Mapping[str, str]] = self._ask("series", {"match[]": match})
        return found

    def metadata(self) -> Mapping[str, Sequence[Mapping[str, str]]]:
        """Type and help of each metric, as the present targets tell them."""
        found: Mapping[str, Sequence[Mapping[str, str]]] = self._ask("metadata", {})
        return found

    def request(self, method: str, path: str, body: str = "") -> tuple[int, bytes]:
        """One request to the server."""
        connection = http.client.HTTPConnection(LOOPBACK, self.port, timeout=_LIMIT_SECONDS)
        try:
            headers = {"Content-Type": "application/x-www-form-urlencoded"} if body else {}
            connection.request(method, path, body or None, headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def _ask(self, path: str, asked: Mapping[str, str]) -> Any:
        posts = path.startswith("query")  # an expression may be longer than a URL
        query = urlencode(asked)
        if posts:
            status, content = self.request("POST", f"/api/v1/{path}", query)
        else:
            status, content = self.request("GET", f"/api/v1/{path}?{query}")
        try:
            answer = json.loads(content)
        except json.JSONDecodeError:
            raise QueryRefused(f"{path} {dict(asked)}: {status} {content[:300]!r}") from None
        if answer.get("status") != "success" or answer.get("warnings"):
            said = answer.get("error") or answer.get("warnings")
            raise QueryRefused(f"{asked.get('query', path)}: {status} {answer.get('errorType', '')}: {said}")
        return answer["data"]


def _series(data: Mapping[str, Any]) -> Iterator[Series]:
    kind, result = data["resultType"], data["result"]
    if kind in ("scalar", "string"):
        yield Series({}, (_point(result),))
        return
    for one in result:
        points = one["values"] if kind == "matrix" else [one["value"]]
        yield Series(one["metric"], [_point(point) for point in points])


def _point(told: Sequence[Any]) -> tuple[float, float]:
    return float(told[0]), float(told[1])
