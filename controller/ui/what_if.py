"""What would become of a model that somebody drops on the map: the code of ``aim-gpu plan``, on the cluster as it is.

    question -> an InferenceService that nobody creates -> gather, plan_live -> where each replica would go, or why not

Nothing is written, and the tables that the map follows are only read: a namespace that does not exist would be told to
them, and is refused instead.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import Any, Final

from api.group import API_VERSION
from api.v1beta1 import InferenceService
from controller.cli import live_plan_view
from controller.cli.documents import BadInput, Document
from controller.cli.live_cluster import Live
from controller.cli.live_plan import LivePlan, plan_live
from controller.cli.live_scheduler import scheduler_of
from controller.cli.wanted import gather
from controller.placement.filters import HOSTNAME_LABEL
from controller.reconcilers.inference_service.backend import DEFAULT_IMAGE, default_container
from controller.translate.request import MOST_PARTITIONS
from controller.ui.viewer import Viewer

Json = dict[str, Any]

#: Replicas of one question: enough for a look, and a plan of them takes well below a second.
MOST_REPLICAS: Final = 64
NAME: Final = "what-if"
#: Where it would be that names no namespace.
DEFAULT_NAMESPACE: Final = "default"
_FIELDS: Final = (
    "model",
    "namespace",
    "replicas",
    "precision",
    "mode",
    "count",
    "maxModelLen",
    "maxConcurrency",
    "node",
)
_ANSWERED: Final = Path("question")


class BadQuestion(ValueError):
    """A question that cannot be answered; the text names field, value and remedy."""


@dataclass(frozen=True, slots=True)
class Question:
    """A model on the map. `node` empty: wherever the operator would place it. Other fields empty or None: its default.

    `remove` names an InferenceService, `namespace/name`, that is to go; then nothing else is asked.
    """

    model: str = ""
    namespace: str = DEFAULT_NAMESPACE
    replicas: int = 1
    precision: str = ""
    mode: str = ""
    count: int | None = None
    max_model_len: int | None = None
    max_concurrency: int | None = None
    node: str = ""
    remove: str = ""

    @classmethod
    def of(cls, query: Mapping[str, str]) -> "Question":
        """The question of a URL's query. Raises BadQuestion."""
        if unknown := sorted(set(query) - {*_FIELDS, "remove"}):
            raise BadQuestion(f"{unknown[0]}: no such field; use {', '.join(_FIELDS)} or remove")
        if "remove" in query:
            return cls(remove=query["remove"])
        if not query.get("model"):
            raise BadQuestion("model: is missing; name one, such as Qwen/Qwen3-8B")
        return cls(
            model=query["model"],
            namespace=query.get("namespace") or DEFAULT_NAMESPACE,
            replicas=_number(query, "replicas", MOST_REPLICAS) or 1,
            precision=query.get("precision", ""),
            mode=query.get("mode", ""),
            count=_number(query, "count", MOST_PARTITIONS),
            max_model_len=_number(query, "maxModelLen", 16_777_216),
            max_concurrency=_number(query, "maxConcurrency", 65_536),
            node=query.get("node", ""),
        )

    def service(self, name: str = NAME) -> Json:
        """The InferenceService that is asked about."""
        optional = {
            "precision": self.precision,
            "maxModelLen": self.max_model_len,
            "maxConcurrency": self.max_concurrency,
        }
        spec: Json = {
            "model": {"id": self.model} | {name: value for name, value in optional.items() if value},
            "replicas": self.replicas,
        }
        partition = {name: value for name, value in (("mode", self.mode), ("count", self.count)) if value}
        if partition:
            spec["gpuSharing"] = {"partition": partition}
        service = {
            "apiVersion": API_VERSION,
            "kind": "InferenceService",
            "metadata": {"name": name, "namespace": self.namespace},
            "spec": spec,
        }
        if self.node:
            spec["predictor"] = _pinned(service, self.node)
        return service


def answer(live: Live, question: Question, viewer: Viewer) -> Json:
    """The plan for programs and in sentences, as far as the viewer may see it. Raises BadQuestion."""
    service = _removed(live, question.remove, viewer) if question.remove else _asked(live, question, viewer)
    try:
        wanted = gather([Document(_ANSWERED, service)])
    except BadInput as error:
        raise BadQuestion(str(error).removeprefix(f"{_ANSWERED}: ")) from error
    found = document(plan_live(live, wanted, scheduler_of(live.cluster)), viewer)
    return found | {"assumed": list(live.assumed), "lines": [*found["lines"], *live.assumed]}


def document(plan: LivePlan, viewer: Viewer) -> Json:
    """The plan; of those in namespaces that the viewer does not see, how many there are."""
    told = live_plan_view.document(plan)
    hidden: Json = {}
    for name, owner in (("moved", "pod"), ("leaving", "pod"), ("others", "claim")):
        seen = [each for each in told[name] if viewer.sees(str(each[owner]).partition("/")[0])]
        if len(seen) < len(told[name]):
            hidden[name] = len(told[name]) - len(seen)
        told[name] = seen
    shown = plan if not hidden else _of_services(plan)
    return {**told, "hidden": hidden, "summary": live_plan_view.summary(plan), "lines": live_plan_view.lines(shown)}


def _of_services(plan: LivePlan) -> LivePlan:
    """The plan without anybody else's names."""
    return replace(plan, moved={}, others={}, leaving=())


def _asked(live: Live, question: Question, viewer: Viewer) -> Json:
    _require_namespace(live, question.namespace, viewer)
    if question.node and live.cluster.host_table.get(question.node) is None:
        raise BadQuestion(f"node: {question.node!r} is no node of this cluster; leave it out for any")
    return question.service(_free_name(live, question.namespace))


def _free_name(live: Live, namespace: str) -> str:
    """A name that no service there has: the plan of one that exists would be of its update."""
    names = (NAME if number == 1 else f"{NAME}-{number}" for number in count(1))
    return next(name for name in names if live.cluster.service_table.get(f"{namespace}/{name}") is None)


def _removed(live: Live, key: str, viewer: Viewer) -> Json:
    namespace = key.partition("/")[0]
    service = live.cluster.service_table.get(key) if viewer.sees(namespace) else None
    if service is None:
        raise BadQuestion(f"remove: {key!r} is no InferenceService that you may see; name one as namespace/name")
    spec = service.spec.model_dump(by_alias=True, mode="json", exclude_none=True)
    return {
        "apiVersion": API_VERSION,
        "kind": "InferenceService",
        "metadata": {"name": service.metadata.name, "namespace": service.metadata.namespace},
        "spec": {**spec, "replicas": 0},
    }


def _require_namespace(live: Live, name: str, viewer: Viewer) -> None:
    if live.cluster.namespace_labels.get(name) is None or not viewer.sees(name):
        raise BadQuestion(f"namespace: {name!r} is none that you may see; name one that exists")


def _pinned(service: Json, node: str) -> Json:
    """A predictor that would run on that node alone: the pod that would be made otherwise, with a selector."""
    container = default_container(InferenceService.model_validate(service), DEFAULT_IMAGE)
    return {"containers": [container], "nodeSelector": {HOSTNAME_LABEL: node}}


def _number(query: Mapping[str, str], name: str, most: int) -> int | None:
    text = query.get(name, "")
    if not text:
        return None
    if not (text.isascii() and text.isdecimal() and 1 <= int(text[:12]) <= most):
        raise BadQuestion(f"{name}: {text[:40]!r} is no number from 1 to {most}")
    return int(text)
