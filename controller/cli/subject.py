"""What a person asks about, `KIND/NAME`, by the names that kubectl takes for it too."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from controller.cli.names import is_object_name


class Kind(StrEnum):
    """Kinds that can be explained."""

    CLAIM = "claim"
    POD = "pod"
    SERVICE = "inferenceservice"
    KSERVE = "inferenceservice.serving.kserve.io"
    NODE = "node"


NAMES: Final[Mapping[str, Kind]] = MappingProxyType(
    {
        **dict.fromkeys(("claim", "gpc", "gpupartitionclaim", "gpupartitionclaims"), Kind.CLAIM),
        **dict.fromkeys(("pod", "pods", "po"), Kind.POD),
        **dict.fromkeys(("inferenceservice", "inferenceservices", "aimisvc", "service"), Kind.SERVICE),
        **dict.fromkeys(("isvc", "kserve", "inferenceservice.serving.kserve.io"), Kind.KSERVE),
        **dict.fromkeys(("node", "nodes", "no", "gpunode", "gpunodes", "gpun"), Kind.NODE),
    }
)
"""What may be written for each kind. `isvc` is KServe's, as in kubectl."""


@dataclass(frozen=True, slots=True)
class Subject:
    """One object. `namespace` is empty for a node."""

    kind: Kind
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}" if self.namespace else f"{self.kind} {self.name}"


class BadSubject(ValueError):
    """A text that names no object; the text says what to write."""


def parse_subject(text: str, namespace: str) -> Subject:
    """The object that `KIND/NAME` names, in `namespace` where its kind has one. Raises BadSubject."""
    kind, slash, name = text.partition("/")
    if not slash or not name or "/" in name:
        raise BadSubject(f"{text!r} is no object; write KIND/NAME, e.g. pod/chat-0, and the namespace with -n")
    found = NAMES.get(kind.lower())
    if found is None:
        raise BadSubject(f"kind {kind!r} cannot be explained; use one of {', '.join(kind.value for kind in Kind)}")
    if not is_object_name(name):
        raise BadSubject(f"no {found} can be called {name!r}; write its name as kubectl shows it")
    return Subject(found, "" if found is Kind.NODE else namespace, name)
