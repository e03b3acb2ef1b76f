"""A cluster as a person with kubectl has it."""

import json
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import yaml

Object = dict[str, Any]
Seen = TypeVar("Seen")

CALL_SECONDS = 60.0
WAIT_SECONDS = 90.0
_LOOK_SECONDS = 0.5


class CommandFailed(Exception):
    """A command ended with another exit code than 0; the text has what it said."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """`kubectl`: the program. The cluster is the one that `KUBECONFIG` names."""

    kubectl: str = "kubectl"

    def call(self, *arguments: str, text: str | None = None, limit_seconds: float = CALL_SECONDS) -> str:
        """Run kubectl; gives its stdout. Raises CommandFailed."""
        return run([self.kubectl, *arguments], text=text, limit_seconds=limit_seconds)

    def apply(self, *objects: Mapping[str, Any]) -> None:
        """Apply objects server-side. Raises CommandFailed."""
        self.call("apply", "--server-side", "-f", "-", text=yaml.safe_dump_all([dict(one) for one in objects]))

    def items(self, kind: str, *arguments: str) -> list[Object]:
        """Objects of a kind, by default of all namespaces."""
        where = () if {"-n", "--namespace"} & set(arguments) else ("-A",)
        return list(json.loads(self.call("get", kind, *where, *arguments, "-o", "json"))["items"])

    def find(self, kind: str, name: str, namespace: str | None = None) -> Object | None:
        """One object, None when it is not there."""
        where = ("-n", namespace) if namespace else ()
        told = self.call("get", kind, name, *where, "--ignore-not-found", "-o", "json")
        found: Object | None = json.loads(told) if told.strip() else None
        return found

    def having(self, wanted: str, kind: str, name: str, namespace: str) -> Object | None:
        """An object, once its condition `wanted` is true."""
        found = self.find(kind, name, namespace)
        return found if found is not None and condition(found, wanted) == "True" else None

    def eventually(self, what: str, look: Callable[[], Seen | None], limit_seconds: float = WAIT_SECONDS) -> Seen:
        """The first answer that counts as true. Fails, with what objects and pods say, when there is none in time."""
        deadline = time.monotonic() + limit_seconds
        while True:
            if seen := look():
                return seen
            if time.monotonic() > deadline:
                raise AssertionError(f"not within {limit_seconds:.0f} s: {what}\n{self.told()}")
            time.sleep(_LOOK_SECONDS)

    def told(self) -> str:
        """What a person would look at."""
        kinds = "pods,gpunodes,gpupartitionclaims,repartitionplans,inferenceservices.aim.amd.com"
        parts = []
        for command in (("get", kinds, "-A"), ("logs", "-n", "aim-gpu-system", "deploy/aim-gpu-operator", "--tail=15")):
            try:
                parts.append(self.call(*command))
            except CommandFailed as error:
                parts.append(str(error))
        return "\n".join(parts)


def run(
    command: list[str], *, text: str | None = None, limit_seconds: float = CALL_SECONDS, stderr: bool = False
) -> str:
    """A command's stdout, with `stderr` what it says there after it. Raises CommandFailed with its stderr."""
    try:
        done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=limit_seconds, check=False)
    except FileNotFoundError:
        raise CommandFailed(f"{command[0]} is not on PATH") from None
    except subprocess.TimeoutExpired:
        raise CommandFailed(f"{' '.join(command[:3])}: no answer within {limit_seconds:.0f} s") from None
    if done.returncode:
        raise CommandFailed(f"{' '.join(command)}: exit code {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout + (done.stderr if stderr else "")


def names(objects: Iterable[Object]) -> list[str]:
    """The names of objects."""
    return [one["metadata"]["name"] for one in objects]


def condition(obj: Mapping[str, Any], kind: str) -> str | None:
    """The status of a condition, None where it is not told."""
    for one in obj.get("status", {}).get("conditions", ()):
        if one["type"] == kind:
            return str(one["status"])
    return None
