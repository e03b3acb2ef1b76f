"""What policies say of requests: the classes that services can name, and on which terms callers are served. Pure.

Of several policies that could rule a namespace, the older one does; so do two policies not fight over one caller.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from api.seconds import DurationError, parse_duration
from controller.gateway.configuration import Caller
from controller.gateway.control.objects import CallerKey, CallerTerms, LabelSelector, Policy, QoSClass
from controller.qos.settings import QoSClass as ClassSettings
from controller.qos.settings import TenantSettings

BUILT_IN: Final = (
    ClassSettings("realtime", 0, 8, 1.0),
    ClassSettings("standard", 1, 4, 10.0),
    ClassSettings("batch", 2, 1, 60.0),
)
"""The classes where no policy says others; the API's own defaults, and a test that they are."""

DEFAULT_CLASS: Final = "standard"


@dataclass(frozen=True, slots=True)
class Rule:
    """One policy, as requests are concerned. `classes` are by the name that services of its namespaces use.

    `shared_seats`: requests in flight at most where several pods share a partition; None: what their engines take.
    """

    name: str
    selector: LabelSelector | None
    classes: Mapping[str, ClassSettings]
    callers: Mapping[str, CallerTerms] = field(default_factory=dict)
    shared_seats: int | None = None

    def class_named(self, name: str | None) -> ClassSettings | None:
        """The class that a service names, None where there is no such class.

        A service that names none gets `standard`, or the last of the classes where a policy has none of that name.
        """
        if name is not None or DEFAULT_CLASS in self.classes:
            return self.classes.get(name or DEFAULT_CLASS)
        return self.last_class

    @property
    def last_class(self) -> ClassSettings:
        """The class that is served last."""
        return max(self.classes.values(), key=lambda one: (one.rank, -one.weight, one.name))


NO_POLICY: Final = Rule("", None, {one.name: one for one in BUILT_IN})


class Rules:
    """All policies. `classes` are those of all of them, each under a name of its own; `problems` what is unusable."""

    def __init__(self, policies: Iterable[Policy]) -> None:
        self.problems: list[str] = []
        named = _ClassNames()
        self._rules = [self._rule(policy, named) for policy in sorted(policies, key=_age)]
        self.classes: tuple[ClassSettings, ...] = tuple(
            sorted(named.all.values(), key=lambda one: (one.rank, -one.weight, one.name))
        )

    def ruling(self, policy_ref: str | None, labels: Mapping[str, str]) -> Rule:
        """What rules a service: the policy it names, if that is for its namespace, else the oldest that is.

        A service that names no policy chooses among the classes of all that are for it, as admission lets it; of
        classes of one name the oldest policy's counts.
        """
        ours = [rule for rule in self._rules if rule.selector is not None and matches(rule.selector, labels)]
        named = next((rule for rule in ours if rule.name == policy_ref), None)
        if named is not None or not ours:
            return named or NO_POLICY
        classes = {name: one for rule in reversed(ours) for name, one in rule.classes.items()}
        return replace(ours[0], classes=classes)

    def caller(self, tenant: str, name: str, *, key: str | None = None) -> Caller:
        """The terms of somebody of a namespace. `key` is the name of the API key that was shown, None for a token.

        A key on terms of its own is a tenant of its own: what it asks is neither counted nor limited with the rest.
        """
        rule = next((rule for rule in self._rules if tenant in rule.callers), None)
        if rule is None:
            return Caller(tenant, name, namespaces=frozenset({tenant}))
        terms = rule.callers[tenant]
        own = next((one for one in terms.keys if one.name == key), None) if key is not None else None
        return Caller(
            tenant=tenant if own is None else f"{tenant}/{own.name}",
            name=name,
            ceiling=_ceiling(rule, (own.ceiling if own else None) or terms.ceiling),
            namespaces=frozenset({tenant, *terms.namespaces}),
        )

    def tenants(self) -> dict[str, TenantSettings]:
        """The tenants that have a rate or a weight. A key on terms of its own has its namespace's weight."""
        terms: dict[str, CallerTerms] = {}
        for rule in self._rules:
            terms = {**rule.callers, **terms}
        return dict(each for tenant, said in terms.items() for each in _settings(tenant, said))

    def _rule(self, policy: Policy, named: "_ClassNames") -> Rule:
        name, spec = policy.metadata.name, policy.spec
        given = BUILT_IN if spec.qos_classes is None else tuple(self._classes(name, spec.qos_classes))
        classes = {one.name: named.own(one, name) for one in given or BUILT_IN}
        callers = {terms.namespace: terms for terms in spec.callers}
        return Rule(name, spec.namespace_selector, classes, callers, spec.shared_concurrency)

    def _classes(self, policy: str, given: Sequence[QoSClass]) -> Iterator[ClassSettings]:
        for one in given:
            try:
                yield ClassSettings(one.name, one.rank, one.weight, parse_duration(one.starvation_after))
            except DurationError as error:
                self.problems.append(f"policy {policy}: qosClasses[{one.name}].starvationAfter: {error}")


class _ClassNames:
    """Classes of one name that are the same are one; of others the first keeps the name, the rest get the policy's."""

    def __init__(self) -> None:
        self.all: dict[str, ClassSettings] = {one.name: one for one in BUILT_IN}

    def own(self, one: ClassSettings, policy: str) -> ClassSettings:
        name = one.name if self.all.setdefault(one.name, one) == one else f"{one.name}@{policy}"
        found = ClassSettings(name, one.rank, one.weight, one.starvation_after)
        self.all[name] = found
        return found


def _settings(tenant: str, terms: CallerTerms) -> Iterator[tuple[str, TenantSettings]]:
    named: tuple[tuple[str, CallerTerms | CallerKey], ...] = (
        (tenant, terms),
        *((f"{tenant}/{key.name}", key) for key in terms.keys),
    )
    for name, limited in named:
        rate = float(limited.max_rate) if limited.max_rate is not None else None
        found = TenantSettings(weight=terms.weight, max_rate=rate)
        if found != TenantSettings():
            yield name, found


def _ceiling(rule: Rule, name: str | None) -> str | None:
    """The class's name among all classes. One that the policy has not got is its last: never better than was meant."""
    if name is None:
        return None
    return (rule.classes.get(name) or rule.last_class).name


def _age(policy: Policy) -> tuple[str, str]:
    return policy.metadata.creation_timestamp or "", policy.metadata.name


def matches(selector: LabelSelector, labels: Mapping[str, str]) -> bool:
    """Whether labels meet every requirement, as Kubernetes has it; an empty selector selects all."""
    if any(labels.get(key) != value for key, value in selector.match_labels.items()):
        return False
    return all(_meets(labels.get(one.key), one.operator, one.values) for one in selector.match_expressions)


def _meets(value: str | None, operator: str, values: Sequence[str]) -> bool:
    match operator:
        case "In":
            return value in values
        case "NotIn":
            return value not in values
        case "Exists":
            return value is not None
        case "DoesNotExist":
            return value is None
    return False  # an operator that Kubernetes has not got selects nobody
