"""What pods require of the pods around them. What they only prefer is left out."""

from collections.abc import Mapping

from controller.runtime.objects.metadata import EMPTY, ApiStruct, OrNull, null_is_empty


class LabelSelectorRequirement(ApiStruct, frozen=True, kw_only=True):
    """`key` `operator` `values`: In, NotIn, Exists, DoesNotExist."""

    key: str
    operator: str
    values: tuple[str, ...] = ()


class LabelSelector(ApiStruct, frozen=True, kw_only=True):
    """All of it must match; an empty one matches everything."""

    match_labels: Mapping[str, str] = EMPTY
    match_expressions: tuple[LabelSelectorRequirement, ...] = ()


class PodAffinityTerm(ApiStruct, frozen=True, kw_only=True):
    """Pods of `label_selector` (None: no pod) within one value of `topology_key`.

    Without `namespaces` and `namespace_selector` those of the pod's own namespace are meant.
    """

    topology_key: str
    label_selector: LabelSelector | None = None
    namespaces: OrNull[str] = ()
    namespace_selector: LabelSelector | None = None
    match_label_keys: OrNull[str] = ()
    mismatch_label_keys: OrNull[str] = ()

    def __post_init__(self) -> None:
        null_is_empty(self, "namespaces", "match_label_keys", "mismatch_label_keys")


class PodAffinity(ApiStruct, frozen=True, kw_only=True):
    """To be near to pods, or as anti-affinity far from them: all terms hold."""

    required_during_scheduling_ignored_during_execution: OrNull[PodAffinityTerm] = ()

    def __post_init__(self) -> None:
        null_is_empty(self, "required_during_scheduling_ignored_during_execution")


class TopologySpreadConstraint(ApiStruct, frozen=True, kw_only=True):
    """How evenly pods of `label_selector` are spread by `topology_key`; `when_unsatisfiable` DoNotSchedule binds."""

    topology_key: str
    max_skew: int = 1
    when_unsatisfiable: str = "DoNotSchedule"
    label_selector: LabelSelector | None = None
    min_domains: int | None = None
    node_affinity_policy: str | None = None
    node_taints_policy: str | None = None
    match_label_keys: OrNull[str] = ()

    def __post_init__(self) -> None:
        null_is_empty(self, "match_label_keys")
