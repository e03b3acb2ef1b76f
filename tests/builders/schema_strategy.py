"""Objects drawn from a kind's CRD: what its schema and its rules let through, and nothing else.

``objects(kind, version)`` is a hypothesis strategy; :func:`examples` gives a number of objects of it for a seed, for
those who create them elsewhere. :func:`leaves` and :func:`said` tell which fields of the schema an object uses.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import Any, Final, get_args

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from api.duration import DURATION_PATTERN
from api.formats import LabelName
from api.object import KubernetesObject
from api.openapi.crd import crd
from api.openapi.kind import KINDS, Kind
from api.quantity import QUANTITY_PATTERN
from api.v1alpha1.inference_service import GIB_PATTERN
from tests.builders.schema_repairs import repair

Schema = dict[str, Any]

_POOL: Final = 60
"""Texts drawn of each pattern. Drawing from a pattern is slow, and a text's form is no matter of conversion."""

_LONGEST_LIST: Final = 4
_MATCHES: Final = re.compile(r"^self\.matches\(r'(.*)'\)$", re.DOTALL)


def schema_of(kind: str, version: str) -> Schema:
    """The schema of a version of a kind, as the API server has it."""
    definition = _definition(kind)
    (found,) = [entry for entry in definition["spec"]["versions"] if entry["name"] == version]
    schema: Schema = found["schema"]["openAPIV3Schema"]
    return schema


@cache
def _definition(kind: str) -> dict[str, Any]:
    return crd(kind_of(kind))


def kind_of(name: str) -> Kind:
    """The kind of that name."""
    (found,) = [kind for kind in KINDS if kind.name == name]
    return found


@cache
def objects(kind: str, version: str) -> st.SearchStrategy[dict[str, Any]]:
    """Whole objects of a kind in a version, with metadata, spec and, often, status. Defaults are sometimes left out."""
    parts = schema_of(kind, version)["properties"]
    envelope = {
        "apiVersion": st.just(f"aim.amd.com/{version}"),
        "kind": st.just(kind),
        "metadata": metadata(namespaced=kind_of(kind).namespaced),
        "spec": specs(kind, version),
    }
    return st.fixed_dictionaries(envelope, optional={"status": values(parts["status"])})


@cache
def specs(kind: str, version: str) -> st.SearchStrategy[dict[str, Any]]:
    """Specs of a kind in a version that keep all rules."""
    drawn = values(schema_of(kind, version)["properties"]["spec"])
    return drawn.map(lambda spec: repair(kind, version, spec))


def metadata(*, namespaced: bool) -> st.SearchStrategy[dict[str, Any]]:
    """The metadata of an object that is stored: labels and annotations are sometimes there."""
    texts = st.sampled_from(["", "a", "b c", "{}", "ß"])
    fixed: dict[str, st.SearchStrategy[Any]] = {
        "name": st.sampled_from(["chat", "chat-2", "a"]),
        "uid": st.just("0f7a9c1e-0000-4000-8000-000000000001"),
        "resourceVersion": st.sampled_from(["1", "77"]),
        "generation": st.integers(1, 9),
    }
    return st.fixed_dictionaries(
        fixed | ({"namespace": st.just("team-a")} if namespaced else {}),
        optional={
            "labels": st.dictionaries(st.sampled_from(["app", "team"]), st.sampled_from(["", "a"]), max_size=2),
            "annotations": st.dictionaries(st.sampled_from(["note", "example.com/by"]), texts, min_size=1, max_size=2),
            "finalizers": st.just(["aim.amd.com/release"]),
        },
    )


def values(schema: Schema) -> st.SearchStrategy[Any]:
    """What one node of a schema lets through."""
    match schema["type"]:
        case "string":
            return _texts(schema)
        case "integer":
            return st.integers(schema.get("minimum", -(2**53)), schema.get("maximum", 2**53))
        case "boolean":
            return st.booleans()
        case "array":
            return _lists(schema)
        case "object":
            return _maps(schema)
    raise AssertionError(f"no strategy for {schema}")


def pattern_of(schema: Schema) -> str | None:
    """The form of a text: its pattern, or that of the rule which stands in its place."""
    rules = [rule["rule"] for rule in schema.get("x-kubernetes-validations", ())]
    stated = next((found[1] for rule in rules if (found := _MATCHES.match(rule))), None)
    return schema.get("pattern", stated)


def _texts(schema: Schema) -> st.SearchStrategy[str]:
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    if schema.get("format") == "date-time":
        return st.sampled_from(["2026-01-02T03:04:05Z", "2026-01-02T03:04:05.000006Z"])
    longest = schema.get("maxLength", 40)
    pattern = pattern_of(schema)
    if pattern is None:
        return st.text("abc/-", min_size=schema.get("minLength", 0), max_size=min(longest, 12))
    usual = [schema["default"]] if "default" in schema else []
    return st.sampled_from([*usual, *_formed(pattern, longest)])


@cache
def _formed(pattern: str, longest: int) -> Sequence[str]:
    """Texts of a form that also keep the rules about its meaning, with those that conversion treats apart among them."""
    drawn = _MEANT[pattern] if pattern in _MEANT else st.from_regex(pattern.removesuffix("$") + r"\Z")
    return tuple(dict.fromkeys(seeded(drawn.filter(lambda text: len(text) <= longest), _POOL, 1)))


def _decimals(most: int) -> st.SearchStrategy[str]:
    fractions = st.integers(0, 10**9 - 1).map(lambda digits: f".{digits:09d}") | st.sampled_from(["", "", ".5", ".250"])
    return st.builds(lambda whole, fraction: f"{whole}{fraction}", st.integers(1, most), fractions)


_SHORT_NAME: Final[str] = get_args(LabelName)[1].pattern

_MEANT: Final[dict[str, st.SearchStrategy[str]]] = {
    GIB_PATTERN: _decimals(1_048_575) | _decimals(64) | st.sampled_from(["24", "024", "0.000000001", "1048576"]),
    QUANTITY_PATTERN: st.builds(
        lambda number, unit: number + unit,
        _decimals(999),
        st.sampled_from(["Ki", "Mi", "Gi", "Gi", "Gi", "Ti", "k", "M", "G", "T", ""]),
    )
    | st.sampled_from(["24Gi", "24576Mi", "25769803776", "1Pi", "0.001Pi", "1", "0.000000001Gi", "007Gi"]),
    _SHORT_NAME: st.from_regex(_SHORT_NAME.removesuffix("$") + r"\Z")
    | st.sampled_from(["realtime", "standard", "batch"]),
    DURATION_PATTERN: st.builds(
        lambda number, unit: f"{number}{unit}", st.integers(1, 700), st.sampled_from(["ms", "s", "m", "h"])
    )
    | st.sampled_from(["0.5ms", "1.500s", "1h30m", "1s1s1s1s", "2000.0ms", "0s1ms", "86400s"]),
}


def _lists(schema: Schema) -> st.SearchStrategy[list[Any]]:
    keys = schema.get("x-kubernetes-list-map-keys")
    unique: Callable[[Any], Any] | None = (lambda item: tuple(item[key] for key in keys)) if keys else None
    if schema.get("x-kubernetes-list-type") == "set":
        unique = str
    longest = min(schema["maxItems"], _LONGEST_LIST)
    return st.lists(values(schema["items"]), min_size=schema.get("minItems", 0), max_size=longest, unique_by=unique)


def _maps(schema: Schema) -> st.SearchStrategy[dict[str, Any]]:
    if schema.get("x-kubernetes-preserve-unknown-fields"):
        return anything()
    if "additionalProperties" in schema:
        keys = st.sampled_from(["a", "zone", "example.com/team", "a.b_c"])
        return st.dictionaries(keys, values(schema["additionalProperties"]), max_size=3)
    required = set(schema.get("required", ()))
    children = {name: values(child) for name, child in schema["properties"].items()}
    return st.fixed_dictionaries(
        {name: child for name, child in children.items() if name in required},
        optional={name: child for name, child in children.items() if name not in required},
    )


@cache
def anything() -> st.SearchStrategy[dict[str, Any]]:
    """Objects of another API: any JSON, null, fractions and names with dots in them included."""
    names = st.sampled_from(["containers", "a.b", "is", "", "ü", "model"])
    scalars = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.sampled_from([0.5, -1e9, "", "x", "ß\n"])
    inner = scalars | st.lists(scalars, max_size=2) | st.dictionaries(names, scalars, max_size=2)
    return st.dictionaries(names, inner | st.lists(inner, max_size=2), max_size=3)


def seeded(strategy: st.SearchStrategy[Any], count: int, number: int) -> list[Any]:
    """``count`` values of a strategy, the same ones for the same ``number``."""
    drawn: list[Any] = []

    @seed(number)
    @settings(
        max_examples=count,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def collect(value: Any) -> None:
        drawn.append(value)

    collect()
    return drawn


def examples(kind: str, version: str, count: int, number: int) -> list[dict[str, Any]]:
    """``count`` objects of a kind in a version, valid ones, each under a name of its own; ``number`` seeds them.

    The metadata is name, labels and annotations alone, so that an API server takes it.
    """
    kept = ("labels", "annotations")
    drawn = seeded(objects(kind, version), count, number)
    return [
        {**obj, "metadata": {"name": f"drawn-{place}"} | {k: v for k, v in obj["metadata"].items() if k in kept}}
        for place, obj in enumerate(drawn)
    ]


def leaves(schema: Schema, path: str = "") -> Iterator[str]:
    """The paths of all fields below a node that have no fields of their own; ``[]`` stands for any item."""
    if "items" in schema:
        yield from leaves(schema["items"], f"{path}[]")
    elif schema.get("properties"):
        for name, child in schema["properties"].items():
            yield from leaves(child, f"{path}.{name}" if path else name)
    else:
        yield path


def said(schema: Schema, value: Any, path: str = "") -> Iterator[str]:
    """The leaves at which ``value`` says something else than the default, or than nothing; once for each place."""
    if "items" in schema:
        if value != schema.get("default"):
            for item in value:
                yield from said(schema["items"], item, f"{path}[]")
    elif schema.get("properties"):
        for name, child in schema["properties"].items():
            if name in value:
                yield from said(child, value[name], f"{path}.{name}" if path else name)
    elif value != schema.get("default") and value not in ({}, ""):
        yield path


def model_of(kind: str, version: str) -> type[KubernetesObject]:
    """The model of a version of a kind."""
    return kind_of(kind).versions[version].model
