"""Pods beside which a demand's pod may stand, and what such pods require of one another."""

from collections.abc import Mapping
from typing import Any

from controller.placement.expression import Expression
from controller.placement.peers import Peer, PodRules, Selected, Spread, Term

HOST, ZONE = "kubernetes.io/hostname", "topology.kubernetes.io/zone"


def pods_of(app: str, *namespaces: str) -> Selected:
    """The pods with label app of team-a, or of those namespaces."""
    return Selected((Expression("app", "In", (app,)),), frozenset(namespaces or ("team-a",)))


def term(app: str, key: str = HOST) -> Term:
    """Pods of team-a with label app in one domain."""
    return Term(key, pods_of(app))


def spread(app: str, key: str = HOST, skew: int = 1, **fields: Any) -> Spread:
    """Pods of team-a with label app, evenly."""
    return Spread(key, skew, pods_of(app), **fields)


def rules(app: str = "web", **fields: Any) -> PodRules:
    """The rules of a pod with label app."""
    return PodRules(labels={"app": app}, **fields)


def peer(app: str = "web", labels: Mapping[str, str] | None = None, **fields: Any) -> Peer:
    """A pod of team-a with label app, of no claim unless told."""
    return Peer(**{"claim": "", "namespace": "team-a", "labels": labels or {"app": app}} | fields)
