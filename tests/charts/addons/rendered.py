"""Rendered objects, and how to find one among them."""

from typing import Any

Object = dict[str, Any]


def one(objects: list[Object], kind: str, name: str) -> Object:
    """The only object of that kind and name."""
    (found,) = (obj for obj in objects if (obj["kind"], obj["metadata"]["name"]) == (kind, name))
    return found


def of_kind(objects: list[Object], kind: str) -> dict[str, Object]:
    """All of a kind, by name."""
    return {obj["metadata"]["name"]: obj for obj in objects if obj["kind"] == kind}


def arguments(objects: list[Object], name: str) -> list[str]:
    """Those of a process's container."""
    (container,) = one(objects, "Deployment", name)["spec"]["template"]["spec"]["containers"]
    return list(container["args"])
