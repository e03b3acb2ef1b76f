"""Requirements on nodes, as pods, devices and allocations state them."""

from controller.runtime.objects.metadata import ApiStruct, OrNull, null_is_empty


class NodeSelectorRequirement(ApiStruct, frozen=True, kw_only=True):
    """`key` `operator` `values`: In, NotIn, Exists, DoesNotExist, Gt, Lt."""

    key: str
    operator: str
    values: tuple[str, ...] = ()


class NodeSelectorTerm(ApiStruct, frozen=True, kw_only=True):
    """All its requirements must hold: on labels, and on fields (metadata.name)."""

    match_expressions: tuple[NodeSelectorRequirement, ...] = ()
    match_fields: tuple[NodeSelectorRequirement, ...] = ()


class NodeSelector(ApiStruct, frozen=True, kw_only=True):
    """One of its terms must hold."""

    node_selector_terms: OrNull[NodeSelectorTerm] = ()

    def __post_init__(self) -> None:
        null_is_empty(self, "node_selector_terms")
