"""InferenceServices against what else there is: the catalogue, the policies, the hardware.

What one object can decide by itself the CRD's rules have decided before. Everything here comes as a condition too, so
the webhook may fail open.

    request -> ServiceFacts (read once) -> CHECKS, each pure -> one answer that lists all
"""

from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from api.conversion.inference_service import INFERENCE_SERVICE
from api.group import MANAGED_LABEL
from api.quantity import parse_quantity
from api.v1beta1 import GPUSharingPolicy, InferenceService
from api.v1beta1.gpu_partition_claim import Binding, Isolation
from api.v1beta1.gpu_sharing_policy import WhenFull
from api.v1beta1.inference_service import ResizePolicy
from controller.gpu.product import PRODUCTS, Product
from controller.placement.changes.change import Kind
from controller.placement.changes.smaller import Smaller, what_fits
from controller.placement.demand import Requirement
from controller.placement.precision_support import obstacle_on_all
from controller.placement.scheduler import MOST_DEVICES
from controller.placement.size_text import gib
from controller.runtime.manifest import Manifest
from controller.runtime.webhook.admission import AdmissionRequest, AdmissionResponse, allow
from controller.sizing.engine_support import obstacles, runs
from controller.sizing.errors import SizingError
from controller.sizing.precision import Precision
from controller.sizing.requirement import Sizing, SizingRequest
from controller.state.cluster import Cluster
from controller.state.model_names import names_of
from controller.state.models import Models
from controller.state.other_sizings import Asked, OtherSizing, other_sizings
from controller.translate.guarantees import OUT_OF_REACH, out_of_reach
from controller.translate.known_checkpoint import (
    CHECKPOINT_UNKNOWN,
    QUANTIZED_AT_LOAD,
    checkpoint_problem,
    loading_assumed,
)
from controller.translate.policy_choice import (
    CLASS_NOT_FOUND,
    SERVICE_CLASS_FIELD,
    SERVICE_POLICY_FIELD,
    Choice,
    refused_choices,
)
from controller.translate.predictor import brings_engine
from controller.translate.request import Problem
from controller.translate.sizing_fields import FIELD_OF, sizing_problem
from controller.webhooks.finding import Finding, answer, ratcheted, refuse, warn
from controller.webhooks.hardware import (
    ManagedNode,
    Reach,
    Wanted,
    could_hold,
    managed_nodes,
    reach,
    servers_could_hold,
    serving,
)
from controller.webhooks.requested_version import as_sent
from controller.webhooks.second_look import second_look, unchanged

PATH: Final = "/validate-inference-service"
WEBHOOK: Final = "inference-service.aim.amd.com"

_MODE = "spec.gpuSharing.partition.mode"
_MIN_MEMORY = "spec.gpuSharing.partition.minMemory"


@dataclass(frozen=True, slots=True)
class ServiceFacts:
    """All that the checks read. `namespace_labels` None: the namespace is so new that it is not known here yet.

    `checkpoint`: the problem of a precision of which no weights are known. `products` are those that nodes to come
    could have. `others`: the model sized otherwise, worked out only where it matters. `alike`: other services of the
    namespace that go by its name or its model's, by key.
    """

    service: InferenceService
    sizing: Sizing | SizingError
    policies: Mapping[str, GPUSharingPolicy]
    namespace_labels: Mapping[str, str] | None
    nodes: tuple[ManagedNode, ...]
    checkpoint: Problem | None = None
    products: tuple[Product, ...] = tuple(PRODUCTS.values())
    others: Callable[[], Iterable[OtherSizing]] = tuple
    alike: Collection[str] = ()

    @property
    def choice(self) -> Choice:
        """The policy and class that the service names."""
        spec = self.service.spec
        namespace = self.service.metadata.namespace or ""
        asked = spec.gpu_sharing.policy_ref, spec.qos.class_
        return Choice(
            *asked, namespace, self.namespace_labels, policy_field=SERVICE_POLICY_FIELD, class_field=SERVICE_CLASS_FIELD
        )

    def may_use(self, node: ManagedNode) -> bool:
        """Whether the node's policy lets the service in, and is the one it asked for."""
        asked = self.service.spec.gpu_sharing.policy_ref
        if node.policy is None:
            return asked is None
        return self.choice.admitted_by(node.policy) and asked in (None, node.policy.metadata.name)


def model_sized(facts: ServiceFacts) -> Iterator[Finding]:
    """A ModelProfile or the catalogue must have the model, and what is asked of it must exist."""
    if isinstance(facts.sizing, SizingError):
        yield Finding(type(facts.sizing).__name__, sizing_problem(facts.sizing, FIELD_OF))


def checkpoint_known(facts: ServiceFacts) -> Iterator[Finding]:
    """What is loaded should be in the precision that was sized."""
    if facts.checkpoint is not None:
        yield Finding(CHECKPOINT_UNKNOWN, facts.checkpoint, refuses=False)
    if isinstance(facts.sizing, SizingError) or not brings_engine(facts.service):
        return
    assumed = loading_assumed(FIELD_OF["precision"], facts.service.spec.model.precision.value, facts.sizing)
    if assumed is not None:
        yield Finding(QUANTIZED_AT_LOAD, assumed, refuses=False)


def choice_offered(facts: ServiceFacts) -> Iterator[Finding]:
    """A policy that is named must exist and select the namespace, and offer the QoS class."""
    for refused in refused_choices(facts.choice, facts.policies.values()):
        yield Finding(refused.reason, refused.problem)


def mode_reachable(facts: ServiceFacts) -> Iterator[Finding]:
    """Some GPU should be in the mode asked for, or able to be put into it."""
    mode = facts.service.spec.gpu_sharing.partition.mode
    if mode is None:
        return
    modes = reach(filter(facts.may_use, facts.nodes))
    if modes and mode not in modes:
        yield warn(
            "ModeUnavailable",
            _MODE,
            mode,
            f"is a mode that no GPU here has or may be put into; choose one of {', '.join(sorted(modes))}",
        )


def precision_served(facts: ServiceFacts) -> Iterator[Finding]:
    """The engine must run on some product in the model's precision, and should on a GPU that is here."""
    if isinstance(facts.sizing, SizingError):
        return
    precision = facts.sizing.precision
    field, asked = FIELD_OF["precision"], facts.service.spec.model.precision
    here = {gpu.product for node in facts.nodes if facts.may_use(node) for gpu in node.gpus}
    unheard_of = here - {product.name for product in facts.products}
    never = "" if unheard_of else obstacles(facts.products, precision)
    wall = obstacle_on_all(here, precision)
    if never:
        yield refuse("PrecisionUnsupported", field, asked, f"means {precision}, which no GPU serves: {never}")
    elif wall:
        yield warn("PrecisionUnsupported", field, asked, f"waits: {wall}")


def fits_somewhere(facts: ServiceFacts) -> Iterator[Finding]:
    """Some partition must be able to hold a replica, even if only after a change of modes."""
    if isinstance(facts.sizing, SizingError):
        return
    model_id = facts.service.spec.model.id
    if not any(node.gpus for node in facts.nodes):
        yield from _never_fits(facts, facts.sizing)
        remedy = f"label nodes {MANAGED_LABEL}=true and run the agent there"
        yield warn(
            "NoManagedNodes", FIELD_OF["model_id"], model_id, f"waits: no GPU node has reported its GPUs; {remedy}"
        )
        return
    usable = [node for node in facts.nodes if facts.may_use(node)]
    if usable:
        if not any(found.reason == "PrecisionUnsupported" for found in precision_served(facts)):
            yield from _fits(facts, facts.sizing, usable)
    elif all(found.reason == CLASS_NOT_FOUND for found in choice_offered(facts)):
        asked = facts.service.spec.gpu_sharing.policy_ref
        field, value = (
            (SERVICE_POLICY_FIELD, asked)
            if asked is not None
            else ("metadata.namespace", facts.service.metadata.namespace)
        )
        remedy = "may use no GPU node: each is governed by another policy; name one that selects nodes and namespace"
        yield warn("PolicyMismatch", field, value, remedy)


def _fits(facts: ServiceFacts, sizing: Sizing, usable: list[ManagedNode]) -> Iterator[Finding]:
    wanted = facts.service.spec.gpu_sharing.partition
    need = _needed(facts, sizing)
    able = [serving(node, sizing.precision) for node in usable]
    modes = reach(able)
    asked = modes.get(wanted.mode) if wanted.mode is not None else None
    largest = asked or max(modes.values(), default=Reach(0, "", ""))
    if need <= largest.bytes:
        return
    field, value, sentence = _too_large(facts, sizing, need, modes, asked)
    beyond = max(reach(able, under_policy=False).values(), default=largest)
    if asked is None and need <= beyond.bytes:
        sentence += f"; or have the policy allow {beyond.mode}"
    # nodes to come, or nodes whose agent has not spoken yet, may have what is missing
    more_may_come = any(not node.gpus or _scales_up(node) for node in usable)
    uncertain = more_may_come and need <= _largest_known(facts, sizing).bytes
    yield (warn if uncertain else refuse)("TooLargeForAnyGPU", field, value, sentence)


def _needed(facts: ServiceFacts, sizing: Sizing) -> int:
    """Bytes that a replica's partition must have."""
    least = facts.service.spec.gpu_sharing.partition.min_memory
    return max(sizing.total_bytes, parse_quantity(least) if least else 0)


def _largest_known(facts: ServiceFacts, sizing: Sizing) -> Reach:
    """The largest whole GPU that nodes to come could have and that serves the precision."""
    return max(
        (
            Reach(product.vram_mib << 20, str(product.allowed[0]), product.name)
            for product in facts.products
            if product.vram_mib is not None and runs(product, sizing.precision)
        ),
        default=Reach(0, "", ""),
    )


def _never_fits(facts: ServiceFacts, sizing: Sizing) -> Iterator[Finding]:
    """A need that no GPU of any product could hold, which no node to come would change."""
    need, largest = _needed(facts, sizing), _largest_known(facts, sizing)
    if 0 < largest.bytes < need:
        least = facts.service.spec.gpu_sharing.partition.min_memory
        own = need == sizing.total_bytes
        field, value = (FIELD_OF["model_id"], facts.service.spec.model.id) if own else (_MIN_MEMORY, least)
        remedy = _what_fits(facts, lambda wanted: servers_could_hold(facts.products, wanted)) if own else "lower it"
        having = (
            f"the largest GPU of all that serve {sizing.precision}, the {largest.product}, has {gib(largest.bytes)}"
        )
        yield refuse("TooLargeForAnyGPU", field, value, f"needs {gib(need)}, and {having}: {remedy}")


def _too_large(
    facts: ServiceFacts, sizing: Sizing, need: int, modes: Mapping[str, Reach], asked: Reach | None
) -> tuple[str, str, str]:
    """Field, value and sentence: the field whose change would help."""
    wanted = facts.service.spec.gpu_sharing.partition
    if asked is not None:
        fitting = [mode for mode in sorted(modes) if modes[mode].bytes >= need]
        if fitting:
            makes = f"makes partitions of {gib(asked.bytes)} at most, needed are {gib(need)}"
            return _MODE, asked.mode, f"{makes}: choose {' or '.join(fitting)}, or leave it out"
    largest = max(modes.values(), default=Reach(0, "", ""))
    having = f"{gib(largest.bytes)}, of {largest.product} in {largest.mode}" if largest.bytes else "none at all"
    if wanted.min_memory and need > sizing.total_bytes:
        return _MIN_MEMORY, wanted.min_memory, f"is more than the largest partition possible here, {having}: lower it"
    sized = f"{sizing.max_concurrency} sequences of {sizing.max_model_len} tokens in {sizing.precision}"
    nodes = [node for node in facts.nodes if facts.may_use(node)]
    remedy = _what_fits(facts, lambda asked: could_hold(nodes, asked))
    sentence = f"needs {gib(need)} for {sized}; the largest partition possible here has {having}: {remedy}"
    return FIELD_OF["model_id"], facts.service.spec.model.id, sentence


def _what_fits(facts: ServiceFacts, fits: Callable[[Wanted], bool]) -> str:
    """Which fields of the service, changed each by itself, would let it fit."""
    mode = facts.service.spec.gpu_sharing.partition.mode

    def asked(way: OtherSizing) -> Requirement:
        return Requirement(_needed(facts, way.sizing), way.sizing.tensor_parallel, frozenset(), way.sizing.precision)

    def would_fit(need: Requirement) -> bool:
        return need.precision is not None and fits(Wanted(need.bytes, need.count, need.precision, mode))

    alone = facts.service.spec.gpu_sharing.isolation is Isolation.COOPERATIVE  # its members share one partition
    ways = (
        Smaller(way.kind, FIELD_OF[way.figure], str(way.value), way.lost, asked(way))
        for way in facts.others()
        if not (alone and way.kind is Kind.COUNT)
    )
    return what_fits(ways, would_fit)


def _scales_up(node: ManagedNode) -> bool:
    return node.policy is not None and node.policy.spec.when_full is WhenFull.RELEASE_FOR_AUTOSCALER


def not_offered_yet(facts: ServiceFacts) -> Iterator[Finding]:
    """Fields that are taken and not acted upon yet."""
    spec = facts.service.spec
    partition = spec.gpu_sharing.partition
    if partition.count > MOST_DEVICES:
        yield warn(
            "CountUnsupported",
            "spec.gpuSharing.partition.count",
            partition.count,
            f"partitions for one pod are more than the {MOST_DEVICES} that a ResourceClaim takes; lower it and choose "
            "larger partitions",
        )


def group_possible(facts: ServiceFacts) -> Iterator[Finding]:
    """Members of a share group have one partition together, by one ResourceClaim."""
    sharing = facts.service.spec.gpu_sharing
    if sharing.isolation is not Isolation.COOPERATIVE:
        return
    if sharing.partition.count != 1:
        yield refuse(
            "ShareGroupImpossible",
            "spec.gpuSharing.partition.count",
            sharing.partition.count,
            "partitions for one pod of a share group are too many, its members share a single one: write 1, or "
            "isolation hardware",
        )
    usable = [node for node in facts.nodes if facts.may_use(node)]
    if usable and all(node.policy and node.policy.spec.binding is Binding.DEVICE_PLUGIN for node in usable):
        yield refuse(
            "ShareGroupImpossible",
            "spec.gpuSharing.isolation",
            sharing.isolation,
            "shares a device, and the device plugin gives one to a pod alone; have the policy set binding DRA, or "
            "write hardware",
        )


def resize_possible(facts: ServiceFacts) -> Iterator[Finding]:
    """A member of a share group has no partition of its own that could become larger."""
    sharing = facts.service.spec.gpu_sharing
    if sharing.partition.resize is ResizePolicy.AUTO and sharing.isolation is Isolation.COOPERATIVE:
        remedy = "has no effect in a share group, whose members have one partition together; write isolation hardware"
        yield warn("SharedPartition", "spec.gpuSharing.partition.resize", "Auto", remedy)


def guarantee_reachable(facts: ServiceFacts) -> Iterator[Finding]:
    """Requests that are guaranteed should be no more than the pods' memory is reserved for."""
    if isinstance(facts.sizing, SizingError):
        return
    problem = out_of_reach(facts.service, facts.sizing.max_concurrency)
    if problem is not None:
        yield Finding(OUT_OF_REACH, problem, refuses=False)


def named_alone(facts: ServiceFacts) -> Iterator[Finding]:
    """No other service of the namespace should go by its names: the gateway could not tell them apart."""
    others = sorted(key.partition("/")[2] for key in facts.alike)
    if others:
        more = f" and {len(others) - 2} more" if len(others) > 2 else ""
        exact = f"{facts.service.metadata.namespace}/{facts.service.metadata.name}"
        sentence = (
            f"or the service's name is also what {', '.join(others[:2])}{more} of this namespace can be asked for as"
        )
        remedy = f"requests have to say model {exact}; choose another to have them say less"
        yield warn("DuplicateModel", FIELD_OF["model_id"], facts.service.spec.model.id, f"{sentence}: {remedy}")


Check = Callable[[ServiceFacts], Iterator[Finding]]

CHECKS: Final[tuple[Check, ...]] = (
    model_sized,
    checkpoint_known,
    choice_offered,
    mode_reachable,
    precision_served,
    fits_somewhere,
    not_offered_yet,
    group_possible,
    resize_possible,
    guarantee_reachable,
    named_alone,
)
"""In the order in which problems are named."""

CHECKS_OF_THE_OBJECT: Final[tuple[Check, ...]] = (not_offered_yet,)
"""Those that can be made while the caches are not filled yet."""


class ServiceValidator:
    """Answers for InferenceServices of v1beta1, as which the API server sends all of them."""

    def __init__(self, cluster: Cluster, sizing: Models, latest: Callable[[], Awaitable[None]]) -> None:
        self._cluster = cluster
        self._sizing = sizing
        self._latest = latest

    async def __call__(self, request: AdmissionRequest) -> AdmissionResponse:
        """Answer one admission request."""
        obj = request.object
        if obj is None or request.operation not in ("CREATE", "UPDATE") or unchanged(obj, request.old_object):
            return allow()
        findings = await second_look(
            self._cluster, lambda: self._findings(request.namespace, obj, request.old_object), self._latest
        )
        return answer(as_sent(findings, request, INFERENCE_SERVICE))

    def _findings(self, namespace: str, obj: Manifest, old: Manifest | None) -> list[Finding]:
        cluster = self._cluster
        policies = {policy.metadata.name: policy for policy in cluster.policy_table.values()}
        labels, nodes = cluster.namespace_labels.get(namespace), managed_nodes(cluster)
        read = (cluster.policies, cluster.namespaces, cluster.nodes, cluster.gpu_nodes, cluster.model_profiles)
        checks = CHECKS if all(informer.synced for informer in read) else CHECKS_OF_THE_OBJECT

        alike = cluster.model_names.known_by(namespace, names_of(obj)) - {f"{namespace}/{obj['metadata'].get('name')}"}

        def judge(manifest: Manifest) -> list[Finding]:
            service = InferenceService.model_validate(manifest)
            sizing = self._size(service)
            facts = ServiceFacts(
                service, sizing, policies, labels, nodes, self._checkpoint_problem(service, sizing),
                others=lambda: self._others(service, sizing), alike=alike,
            )  # fmt: skip
            return [finding for check in checks for finding in check(facts)]

        findings = judge(obj)
        if old is None or not any(finding.refuses for finding in findings):
            return findings
        return ratcheted(findings, judge(old))

    def _checkpoint_problem(self, service: InferenceService, sizing: Sizing | SizingError) -> Problem | None:
        if isinstance(sizing, SizingError):
            return None
        model = service.spec.model
        return checkpoint_problem(
            service, sizing, self._sizing.checkpoint(model.id, sizing.precision, model.profile_ref)
        )

    def _others(self, service: InferenceService, sizing: Sizing | SizingError) -> Iterator[OtherSizing]:
        if not isinstance(sizing, SizingError):
            asked = Asked(_request(service), service.spec.model.profile_ref, sizing)
            yield from other_sizings(self._sizing, asked, MOST_DEVICES)

    def _size(self, service: InferenceService) -> Sizing | SizingError:
        try:
            return self._sizing.size(_request(service), service.spec.model.profile_ref)
        except SizingError as error:
            return error


def _request(service: InferenceService) -> SizingRequest:
    model = service.spec.model
    return SizingRequest(
        model.id,
        Precision(model.precision.value),
        model.max_model_len,
        model.max_concurrency,
        tensor_parallel=service.spec.gpu_sharing.partition.count,
    )
