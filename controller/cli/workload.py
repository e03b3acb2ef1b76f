"""One service of some files: how many equal pods of which kind it would make."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from api.v1beta1 import InferenceService
from controller.placement.demand import PodConstraints
from controller.placement.peers import PodRules
from controller.translate.pod import PodView


@dataclass(frozen=True, slots=True)
class Workload:
    """A service, by either entry, and one of its `replicas` equal pods. `service` is None for annotated templates.

    `priority_class`: the PriorityClass that the pod names, "" for none. `predictor`: of a service of KServe's.
    `rules`: what its pods require of the pods around them.
    """

    kind: str
    namespace: str
    name: str
    replicas: int
    pod: PodView
    constraints: PodConstraints
    service: InferenceService | None = None
    annotations: Mapping[str, str] = field(default_factory=dict)
    priority_class: str = ""
    predictor: Mapping[str, Any] | None = None
    rules: PodRules | None = None

    @property
    def key(self) -> str:
        """namespace/name."""
        return f"{self.namespace}/{self.name}"
