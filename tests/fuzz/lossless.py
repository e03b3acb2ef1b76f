"""What conversion promises, as checks of one object: nothing is lost either way, and an edit in the spoke wins.

Every object goes through JSON on its way, as between the API server and a webhook. An AssertionError or a
ConversionError means that a promise is broken.
"""

import json
from collections.abc import Iterator, Mapping
from copy import deepcopy
from typing import Any

from api.conversion import ConversionError
from api.conversion.directions import to_hub, to_spoke
from api.conversion.kind_mapping import KindMapping
from api.conversion.latency import latency_of
from api.conversion.nested import ABSENT, Path, at
from api.conversion.spec_schema import Node
from tests.builders.schema_repairs import repair

Manifest = dict[str, Any]


def hub_is_kept(mapping: KindMapping, hub: Manifest) -> Manifest:
    """v1beta1 to v1alpha1 and back is the same object with its defaults; gives the one in between."""
    before = deepcopy(hub)
    spoke = wired(to_spoke(mapping, hub))
    assert hub == before, "the object given was changed"
    alike(with_defaults(mapping.hub_schema, hub), wired(to_hub(mapping, spoke)))
    same_meaning(mapping.hub, hub, to_hub(mapping, spoke))
    return spoke


def spoke_is_kept(mapping: KindMapping, spoke: Manifest) -> Manifest:
    """v1alpha1 to v1beta1 and back is the same object with its defaults, and no stash; gives the one in between."""
    before = deepcopy(spoke)
    hub = wired(to_hub(mapping, spoke))
    assert spoke == before, "the object given was changed"
    alike(with_defaults(mapping.spoke_schema, spoke), wired(to_spoke(mapping, hub)))
    same_meaning(mapping.spoke, spoke, to_spoke(mapping, hub))
    return hub


def edit_wins(mapping: KindMapping, hub: Manifest, changes: Mapping[str, Any]) -> set[str]:
    """``changes`` of flat fields show in the hub and in the spoke, all else is as it was; gives the fields edited.

    A value ABSENT takes the field away. Rules between flat fields are kept by further edits.
    """
    spoke = wired(to_spoke(mapping, hub))
    changed = {name: value for name, value in {**spoke["spec"], **changes}.items() if value is not ABSENT}
    spec = mapping.spoke_schema.defaulted(repair(mapping.name, "v1alpha1", deepcopy(changed)))
    edited = {name for name in spec.keys() | spoke["spec"].keys() if spec.get(name) != spoke["spec"].get(name)}
    try:
        after = wired(to_hub(mapping, spoke | {"spec": spec}))
    except ConversionError as error:
        # The one thing that an edit and what is kept can contradict each other in.
        if "two objectives have the same metric, percentile and threshold" not in error.problem:
            raise
        return set()
    alike(spec, wired(to_spoke(mapping, after))["spec"])
    _others_as_before(mapping, hub, after, edited)
    return edited


def _others_as_before(mapping: KindMapping, hub: Manifest, after: Manifest, edited: set[str]) -> None:
    touched = {row.path for row in mapping.rows if row.field in edited}
    old, new = (
        dict(places(mapping.hub_schema, spec))
        for spec in (with_defaults(mapping.hub_schema, hub)["spec"], after["spec"])
    )
    for path in old.keys() | new.keys():
        if path not in touched:
            alike(old.get(path), new.get(path))
    if ("qos", "slo") in touched:
        alike(*(_other_objectives(at(spec, ("qos", "slo"))) for spec in (hub["spec"], after["spec"])))


def _other_objectives(slo: Any) -> list[Any]:
    """The objectives that the flat field can never show, by what is required of them."""
    usual = {"percentile": "p99", "objective": "99"}
    return [usual | entry for entry in ([] if slo is ABSENT else slo) if latency_of([usual | entry]) is ABSENT]


def places(schema: Node, spec: Any, above: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Every place of a spec that holds a value or an empty object that has no default, with what it holds."""
    if schema.properties and spec:
        for name, value in spec.items():
            yield from places(schema.properties[name], value, (*above, name))
    elif schema.plain or schema.items is not None:
        yield above, spec


def with_defaults(schema: Node, obj: Manifest) -> Manifest:
    """The object as the API server keeps it."""
    return obj | {"spec": schema.defaulted(obj["spec"])}


def wired(obj: Manifest) -> Manifest:
    """The object after a way over the wire."""
    received: Manifest = json.loads(json.dumps(obj))
    return received


def alike(one: Any, other: Any) -> None:
    """The same JSON: 1 is not true, and nothing is not an empty list."""
    left, right = (json.dumps(value, sort_keys=True, indent=1) for value in (one, other))
    assert left == right


def same_meaning(model: Any, one: Manifest, other: Manifest) -> None:
    """The same for whoever reads it with the models, which fill in defaults in a way of their own."""
    assert model.model_validate(one) == model.model_validate(other)
