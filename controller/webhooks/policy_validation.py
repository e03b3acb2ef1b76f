"""GPUSharingPolicies against nodes, namespaces, other policies and the services that rely on them.

Warnings only: each of these may be meant, or become right when nodes and namespaces come. What would be unsafe the
CRD's rules refuse.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from api.conversion.gpu_sharing_policy import GPU_SHARING_POLICY
from api.label_selector import LabelSelector
from api.v1beta1 import GPUSharingPolicy, InferenceService
from api.v1beta1.repartition_plan import Approval
from controller.repartition.windows import unknown_zones
from controller.runtime.manifest import Manifest
from controller.runtime.webhook.admission import AdmissionRequest, AdmissionResponse, allow
from controller.state.cluster import Cluster
from controller.translate.policy import policy_for, windows
from controller.translate.policy_choice import CLASS_NOT_FOUND
from controller.webhooks.finding import Finding, answer, warn
from controller.webhooks.hardware import ManagedNode, managed_nodes
from controller.webhooks.requested_version import as_sent
from controller.webhooks.second_look import unchanged

PATH: Final = "/validate-policy"
WEBHOOK: Final = "policy.aim.amd.com"

Labels = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class PolicyFacts:
    """All that the checks read. `before` None: the policy is new. `others`: all policies but this one."""

    policy: GPUSharingPolicy
    before: GPUSharingPolicy | None
    others: tuple[GPUSharingPolicy, ...]
    nodes: tuple[ManagedNode, ...]
    namespaces: Mapping[str, Labels]
    services: tuple[InferenceService, ...]

    def selected(self) -> list[ManagedNode]:
        """The managed nodes that the policy's nodeSelector selects."""
        return [node for node in self.nodes if self.policy.spec.node_selector.matches(node.labels)]


def selects_nodes(facts: PolicyFacts) -> Iterator[Finding]:
    """The nodeSelector should select a managed node, where there are any."""
    if facts.nodes and not facts.selected():
        remedy = f"selects none of the {len(facts.nodes)} managed GPU nodes; compare it with their labels"
        yield warn("NoNodeSelected", "spec.nodeSelector", selector_text(facts.policy.spec.node_selector), remedy)


def selects_namespaces(facts: PolicyFacts) -> Iterator[Finding]:
    """The namespaceSelector should select a namespace."""
    selector = facts.policy.spec.namespace_selector
    if facts.namespaces and not any(map(selector.matches, facts.namespaces.values())):
        remedy = "selects no namespace; label one so, or leave it empty for all"
        yield warn("NoNamespaceSelected", "spec.namespaceSelector", selector_text(selector), remedy)


def alone_on_its_nodes(facts: PolicyFacts) -> Iterator[Finding]:
    """A node that several policies select is governed by the oldest of them, and the others have no say there."""
    selected = facts.selected()
    lost: Counter[str] = Counter()
    won: Counter[str] = Counter()
    for node in selected:
        rivals = [other for other in facts.others if other.spec.node_selector.matches(node.labels)]
        winner = policy_for(node.labels, [facts.policy, *rivals])
        if winner is None or winner is facts.policy:
            won.update(rival.metadata.name for rival in rivals)
        else:
            lost[winner.metadata.name] += 1
    field, value = "spec.nodeSelector", selector_text(facts.policy.spec.node_selector)
    for name, count in sorted(lost.items()):
        remedy = f"exclude them here, or delete {name}"
        yield warn(
            "OverlappingPolicies",
            field,
            value,
            f"selects {count} of {len(selected)} nodes that the older policy {name} governs; {remedy}",
        )
    for name, count in sorted(won.items()):
        remedy = "being older, this policy governs them; exclude them in one of the two"
        yield warn(
            "OverlappingPolicies", field, value, f"selects {count} nodes that policy {name} selects too; {remedy}"
        )


def modes_exist(facts: PolicyFacts) -> Iterator[Finding]:
    """Each allowed mode should exist on a GPU of the selected nodes."""
    gpus = [gpu for node in facts.selected() for gpu in node.gpus]
    offered = {mode for gpu in gpus for mode in (*gpu.modes_allowed, gpu.mode) if mode is not None}
    missing = [mode for mode in facts.policy.spec.allowed_modes if mode not in offered]
    if gpus and missing:
        remedy = f"exists on no GPU of the selected nodes; they have {', '.join(sorted(offered))}"
        yield warn("ModeUnavailable", "spec.allowedModes", ", ".join(missing), remedy)


def changes_possible(facts: PolicyFacts) -> Iterator[Finding]:
    """A policy that lets modes be changed should leave a mode to change to; approval says nothing while it is off."""
    spec = facts.policy.spec
    if not spec.repartition.enabled:
        if spec.repartition.approval is Approval.AUTO:
            remedy = "has no effect while spec.repartition.enabled is false; set that to true"
            yield warn("RepartitionDisabled", "spec.repartition.approval", "Auto", remedy)
        return
    gpus = [gpu for node in facts.selected() for gpu in node.gpus]
    offered = {mode for gpu in gpus for mode in gpu.modes_allowed}
    validated = {mode for gpu in gpus for mode in gpu.modes_validated}
    wanted = [mode for mode in spec.allowed_modes if mode in offered]
    if spec.validated_only and wanted and not validated.intersection(wanted):
        remedy = (
            "is validated by AMD on no GPU of the selected nodes, so nothing is changed; set validatedOnly to false"
        )
        yield warn("ModeNotValidated", "spec.allowedModes", ", ".join(wanted), remedy)


def moves_possible(facts: PolicyFacts) -> Iterator[Finding]:
    """Whoever wants scattered models brought together has to let the operator make plans, and move pods."""
    spec = facts.policy.spec
    if not spec.defragmentation.enabled:
        return
    if not spec.repartition.enabled:
        remedy = "has no effect while spec.repartition.enabled is false; set that to true"
        yield warn("RepartitionDisabled", "spec.defragmentation.enabled", "true", remedy)
    elif spec.repartition.max_unavailable_pods == 0:
        remedy = "has no effect while spec.repartition.maxUnavailablePods is 0, for nobody may be moved; raise that"
        yield warn("NobodyMayMove", "spec.defragmentation.enabled", "true", remedy)


def windows_open(facts: PolicyFacts) -> Iterator[Finding]:
    """A window's time zone should be one that somebody knows."""
    for place, window in enumerate(facts.policy.spec.repartition.windows):
        if window.timezone in unknown_zones(windows(facts.policy)):
            remedy = "is no time zone, so the window never opens; write one of the IANA database, as Europe/Helsinki"
            yield warn("WindowInvalid", f"spec.repartition.windows[{place}].timezone", window.timezone, remedy)


def classes_in_use(facts: PolicyFacts) -> Iterator[Finding]:
    """A class that goes should not be one that services name."""
    if facts.before is None:
        return
    left = {each.name for each in facts.policy.spec.qos_classes}
    gone = [each.name for each in facts.before.spec.qos_classes if each.name not in left]
    for name in gone:
        users = sum(_relies_on(facts, service, name) for service in facts.services)
        if users:
            remedy = (
                f"goes, and {_counted(users, 'InferenceService')} in its namespaces name it; keep it, or change those"
            )
            yield warn("ClassInUse", "spec.qosClasses", name, remedy)


def quotas_name_namespaces(facts: PolicyFacts) -> Iterator[Finding]:
    """A quota's namespace should exist, and be one that the policy is for."""
    selector = facts.policy.spec.namespace_selector
    for place, quota in enumerate(facts.policy.spec.quotas):
        field, labels = f"spec.quotas[{place}].namespace", facts.namespaces.get(quota.namespace)
        if labels is None:
            yield warn("NamespaceNotFound", field, quota.namespace, "does not exist; create it, or mend the name")
        elif not selector.matches(labels):
            remedy = (
                "is not selected by spec.namespaceSelector, so nothing counts against it; select it, or leave it out"
            )
            yield warn("NamespaceNotSelected", field, quota.namespace, remedy)


def callers_make_sense(facts: PolicyFacts) -> Iterator[Finding]:
    """A caller's namespaces should exist, and the class up to which it is served be one of the policy's."""
    classes = [each.name for each in facts.policy.spec.qos_classes]
    for place, caller in enumerate(facts.policy.spec.callers):
        field = f"spec.callers[{place}]"
        named = [(f"{field}.namespace", caller.namespace)]
        named += [(f"{field}.namespaces[{at}]", name) for at, name in enumerate(caller.namespaces)]
        for where, name in named:
            if name not in facts.namespaces:
                yield warn("NamespaceNotFound", where, name, "does not exist; create it, or mend the name")
        ceilings = [(f"{field}.ceiling", caller.ceiling)]
        ceilings += [(f"{field}.keys[{at}].ceiling", key.ceiling) for at, key in enumerate(caller.keys)]
        for where, ceiling in ceilings:
            if ceiling is not None and ceiling not in classes:
                remedy = f"is no class of this policy, and the last one counts; choose one of {', '.join(classes)}"
                yield warn(CLASS_NOT_FOUND, where, ceiling, remedy)


def _relies_on(facts: PolicyFacts, service: InferenceService, name: str) -> bool:
    """Whether the service names that class and gets it from this policy, as far as can be told."""
    if service.spec.qos.class_ != name:
        return False
    asked = service.spec.gpu_sharing.policy_ref
    if asked is not None:
        return asked == facts.policy.metadata.name
    labels = facts.namespaces.get(service.metadata.namespace or "")
    if labels is None or not facts.policy.spec.namespace_selector.matches(labels):
        return False
    elsewhere = [other for other in facts.others if other.spec.namespace_selector.matches(labels)]
    return not any(each.name == name for other in elsewhere for each in other.spec.qos_classes)


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def selector_text(selector: LabelSelector) -> str:
    """A selector as `kubectl -l` takes it; the empty one is ""."""
    parts = [f"{key}={value}" for key, value in sorted(selector.match_labels.items())]
    for each in selector.match_expressions:
        match each.operator.value:
            case "Exists":
                parts.append(each.key)
            case "DoesNotExist":
                parts.append(f"!{each.key}")
            case operator:
                parts.append(f"{each.key} {operator.lower()} ({', '.join(each.values)})")
    return ",".join(parts)


Check = Callable[[PolicyFacts], Iterator[Finding]]

CHECKS: Final[tuple[Check, ...]] = (
    selects_nodes,
    selects_namespaces,
    alone_on_its_nodes,
    modes_exist,
    changes_possible,
    moves_possible,
    windows_open,
    classes_in_use,
    quotas_name_namespaces,
    callers_make_sense,
)
"""In the order in which problems are named."""


class PolicyValidator:
    """Answers for GPUSharingPolicies of v1beta1, as which the API server sends all of them."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    async def __call__(self, request: AdmissionRequest) -> AdmissionResponse:
        """Answer one admission request."""
        obj = request.object
        if obj is None or request.operation not in ("CREATE", "UPDATE") or unchanged(obj, request.old_object):
            return allow()
        cluster = self._cluster
        read = (cluster.policies, cluster.namespaces, cluster.nodes, cluster.gpu_nodes, cluster.services)
        if not all(informer.synced for informer in read):
            return allow()  # what is not read yet must not be called missing
        facts = self._gather(obj, request.old_object)
        findings = [finding for check in CHECKS for finding in check(facts)]
        return answer(as_sent(findings, request, GPU_SHARING_POLICY))

    def _gather(self, obj: Manifest, old: Manifest | None) -> PolicyFacts:
        cluster = self._cluster
        policy = GPUSharingPolicy.model_validate(obj)
        if policy.metadata.creation_timestamp is None:
            metadata = policy.metadata.model_copy(update={"creation_timestamp": cluster.clock.now()})
            policy = policy.model_copy(
                update={"metadata": metadata}
            )  # it is the youngest, whatever the server did not say
        name = policy.metadata.name
        return PolicyFacts(
            policy=policy,
            before=None if old is None else GPUSharingPolicy.model_validate(old),
            others=tuple(other for other in cluster.policy_table.values() if other.metadata.name != name),
            nodes=managed_nodes(cluster),
            namespaces=dict(cluster.namespace_labels.items()),
            services=tuple(cluster.service_table.values()),
        )
