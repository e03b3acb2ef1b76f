"""What a pod requires of the pods around it, as placement judges it.

A term whose namespaces are chosen by their labels is left to the real scheduler, as is affinity by other labels than
the host's name: whether a pod far from any managed GPU satisfies it is not known here.
"""

from collections.abc import Iterable, Iterator, Mapping

from controller.placement.expression import Expression
from controller.placement.node_rules import HOSTNAME_LABEL
from controller.placement.peers import EVERY_ADDRESS, NO_RULES, HostPort, PodRules, Selected, Spread, Term
from controller.runtime.objects.pod import Pod, PodSpec
from controller.runtime.objects.pod_affinity import (
    LabelSelector,
    PodAffinity,
    PodAffinityTerm,
    TopologySpreadConstraint,
)

#: Ports that are taken at every address of the node (`hostIP` empty).


def pod_rules(pod: Pod) -> PodRules:
    """The rules of a stored pod."""
    return rules_of(pod.spec, pod.metadata.namespace, pod.metadata.labels)


def rules_of(spec: PodSpec, namespace: str, labels: Mapping[str, str]) -> PodRules:
    """The rules of a pod of that namespace with those labels."""
    ports = tuple(_ports(spec))
    if spec.affinity is None and not spec.topology_spread_constraints and not ports:
        return PodRules(labels) if labels else NO_RULES
    near = spec.affinity.pod_affinity if spec.affinity is not None else None
    far = spec.affinity.pod_anti_affinity if spec.affinity is not None else None
    return PodRules(
        labels=labels,
        repels=tuple(_terms(far, namespace, labels)),
        attracts=tuple(term for term in _terms(near, namespace, labels) if term.key == HOSTNAME_LABEL),
        spreads=tuple(
            _spread(each, namespace, labels)
            for each in spec.topology_spread_constraints
            if each.when_unsatisfiable == "DoNotSchedule"
        ),
        ports=ports,
        prefers=tuple(
            Term(each.topology_key, _spread(each, namespace, labels).pods)
            for each in spec.topology_spread_constraints
            if each.when_unsatisfiable == "ScheduleAnyway"
        ),
    )


def _ports(spec: PodSpec) -> Iterator[HostPort]:
    sidecars = (each for each in spec.init_containers if each.restart_policy == "Always")
    for container in (*spec.containers, *sidecars):
        for port in container.ports:
            yield HostPort(port.host_port, port.protocol or "TCP", port.host_ip or EVERY_ADDRESS)


def _terms(wanted: PodAffinity | None, namespace: str, labels: Mapping[str, str]) -> Iterator[Term]:
    for each in wanted.required_during_scheduling_ignored_during_execution if wanted is not None else ():
        if each.label_selector is None:
            continue  # matches no pod
        named, known = _namespaces(each, namespace)
        if known:
            yield Term(each.topology_key, Selected(_selector(each.label_selector, labels, each), named))


def _namespaces(term: PodAffinityTerm, own: str) -> tuple[frozenset[str] | None, bool]:
    """The namespaces that are meant, None for all; and whether they are known without their labels."""
    chosen = term.namespace_selector
    if chosen is None:
        return frozenset(term.namespaces or (own,)), True
    return None, not chosen.match_labels and not chosen.match_expressions


def _spread(each: TopologySpreadConstraint, namespace: str, labels: Mapping[str, str]) -> Spread:
    selector = each.label_selector
    counted = _selector(selector, labels, each) if selector is not None else (Expression("", "In"),)  # matches no pod
    return Spread(
        key=each.topology_key,
        most_skew=each.max_skew,
        pods=Selected(counted, frozenset((namespace,))),
        least_domains=each.min_domains or 1,
        by_affinity=each.node_affinity_policy != "Ignore",
        by_taints=each.node_taints_policy == "Honor",
    )


def _selector(
    selector: LabelSelector, labels: Mapping[str, str], by: PodAffinityTerm | TopologySpreadConstraint
) -> tuple[Expression, ...]:
    """The selector's requirements, and those that are taken over from the pod's own labels."""
    mismatched = by.mismatch_label_keys if isinstance(by, PodAffinityTerm) else ()
    return (
        *(Expression(key, "In", (value,)) for key, value in sorted(selector.match_labels.items())),
        *(Expression(each.key, each.operator, each.values) for each in selector.match_expressions),
        *_own(by.match_label_keys, "In", labels),
        *_own(mismatched, "NotIn", labels),
    )


def _own(keys: Iterable[str], operator: str, labels: Mapping[str, str]) -> Iterator[Expression]:
    return (Expression(key, operator, (labels[key],)) for key in keys if key in labels)
