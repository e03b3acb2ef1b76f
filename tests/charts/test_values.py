"""Which values are taken: a schema for each, refusals of those that do not go together, and Helm's own lint."""

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from e2e.chart import CHART, ChartRefused, Helm
from tests.charts.value_sets import SETS

VALUES: dict[str, Any] = yaml.safe_load((CHART / "values.yaml").read_text())
SCHEMA: dict[str, Any] = json.loads((CHART / "values.schema.json").read_text())

WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "an unknown section": ({"operatr": {}}, "operatr"),
    "an unknown value": ({"operator": {"replica": 3}}, "replica"),
    "a deeper one": ({"webhook": {"certs": {"mod": "self"}}}, "mod"),
    "no replica": ({"operator": {"replicas": 0}}, "/operator/replicas"),
    "a number as text": ({"operator": {"replicas": "2"}}, "/operator/replicas"),
    "an unknown mode": ({"agent": {"mode": "privileged"}}, "/agent/mode"),
    "an unknown maker of certificates": ({"webhook": {"certs": {"mode": "cert-manager"}}}, "/webhook/certs/mode"),
    "a digest that is none": ({"image": {"digest": "sha256:abc"}}, "/image/digest"),
    "a folder that is relative": ({"agent": {"rocm": {"hostPath": "opt/rocm"}}}, "/agent/rocm/hostPath"),
    "a version that is none": ({"agent": {"rocm": {"minimumVersion": "six"}}}, "/agent/rocm/minimumVersion"),
    "an argument that is none": ({"operator": {"extraArgs": ["debug"]}}, "/operator/extraArgs/0"),
    "a variable without a name": ({"operator": {"extraEnv": [{"value": "1"}]}}, "/operator/extraEnv/0"),
    "a quantity that is none": ({"operator": {"resources": {"limits": {"memory": "1 GB"}}}}, "limits/memory"),
    "more GPUs than a node has": ({"agent": {"simulated": {"gpus": 9}}}, "/agent/simulated/gpus"),
    "nobody whom tokens are for": ({"ui": {"audiences": []}}, "/ui/audiences"),
    "too long a wait": ({"webhook": {"timeoutSeconds": 31}}, "/webhook/timeoutSeconds"),
}

UNFIT: dict[str, tuple[dict[str, Any], str]] = {
    "no Secret": ({"webhook": {"certs": {"mode": "existingSecret"}}}, 'webhook.certs.existingSecret: "" with'),
    "a Secret that nobody reads": ({"webhook": {"certs": {"existingSecret": "hook"}}}, '"hook" is not read'),
    "an issuer that nobody asks": (
        {"webhook": {"certs": {"issuerRef": {"kind": "Issuer", "name": "ours"}}}},
        "webhook.certs.issuerRef",
    ),
    "a budget that stops drains": ({"operator": {"replicas": 1}}, "minAvailable: 1 of operator.replicas: 1"),
    "all of them": ({"operator": {"podDisruptionBudget": {"minAvailable": "100%"}}}, "lets no node be drained"),
    "a share that is rounded up to all of them": (
        {"operator": {"podDisruptionBudget": {"minAvailable": "51%"}}},
        "51% of operator.replicas: 2 keeps 2",
    ),
    "the least share of one": (
        {"operator": {"replicas": 1, "podDisruptionBudget": {"minAvailable": "1%"}}},
        "1% of operator.replicas: 1 keeps 1",
    ),
    "two thirds and a little of three": (
        {"operator": {"replicas": 3, "podDisruptionBudget": {"minAvailable": "67%"}}},
        "67% of operator.replicas: 3 keeps 3",
    ),
    "arguments of another mode": (
        {"agent": {"simulated": {"extraArgs": ["--time-scale=0"]}}},
        "agent.simulated.extraArgs",
    ),
    "a certificate of a map that is not there": ({"ui": {"tls": {"certManager": True}}}, "ui.tls.certManager: true"),
    "an issuer that no map asks": (
        {"ui": {"enabled": True, "tls": {"issuerRef": {"kind": "Issuer", "name": "ours"}}}},
        "ui.tls.issuerRef",
    ),
    "an argument that rights rely on": (
        {"operator": {"extraArgs": ["--log-level=debug", "--system-namespace=other"]}},
        'operator.extraArgs[1]: "--system-namespace=other"',
    ),
    "a port that policies rely on": (
        {"gateway": {"extraArgs": ["--metrics-port=9"]}},
        'gateway.extraArgs[0]: "--metrics',
    ),
    "a tag that moves": ({"image": {"tag": "latest"}}, "image.tag"),
}


@pytest.mark.parametrize("name", SETS)
def test_lint_has_no_fault_to_find(helm: Helm, name: str) -> None:
    assert "0 chart(s) failed" in helm.lint(SETS[name])


@pytest.mark.parametrize("name", WRONG)
def test_a_value_that_is_not_in_the_schema_is_refused(helm: Helm, name: str) -> None:
    values, told = WRONG[name]

    with pytest.raises(ChartRefused) as refusal:
        helm.render(values)

    assert told in str(refusal.value)


def settings(schema: dict[str, Any], values: dict[str, Any], *above: str) -> Iterator[tuple[str, ...]]:
    """Where switches, words and numbers are, and the sections that have them, by the defaults."""
    for name, value in values.items():
        found = schema["properties"][name]
        found = SCHEMA["$defs"][found["$ref"].rpartition("/")[2]] if "$ref" in found else found
        if isinstance(value, bool | int | str):
            yield (*above, name)
        elif isinstance(value, dict) and found.get("properties") and name not in ("resources", "affinity"):
            yield (*above, name)
            yield from settings(found, value, *above, name)


def test_nothing_is_off_because_its_line_was_left_empty() -> None:
    """In Helm an empty value takes the default away, and a template sees nothing: no guards, no policies, no name."""
    whole = Draft202012Validator(SCHEMA)
    found = list(settings(SCHEMA, VALUES))
    assert len(found) > 90
    for *above, name in found:
        values = copy.deepcopy(VALUES)
        section = values
        for each in above:
            section = section[each]
        del section[name]
        (error,) = whole.iter_errors(values)
        assert (list(error.absolute_path), error.validator) == (above, "required")
        assert f"'{name}'" in error.message


@pytest.mark.parametrize("emptied", ["guards.enabled", "gateway", "agent.nodeSelector", "image.repository"])
def test_helm_refuses_a_value_that_was_emptied_by_its_name(helm: Helm, emptied: str) -> None:
    values: Any = None
    for name in reversed(emptied.split(".")):
        values = {name: values}
    with pytest.raises(ChartRefused) as refusal:
        helm.render(values)
    assert f"missing property '{emptied.rpartition('.')[2]}'" in str(refusal.value)


@pytest.mark.parametrize("name", UNFIT)
def test_values_that_do_not_go_together_are_refused_with_a_remedy(helm: Helm, name: str) -> None:
    values, told = UNFIT[name]

    with pytest.raises(ChartRefused) as refusal:
        helm.render(values)

    assert told in str(refusal.value)
    assert ": set " in str(refusal.value) or ": name " in str(refusal.value)


@pytest.mark.parametrize(
    ("replicas", "share"),
    [(1, "0%"), (2, "50%"), (3, "66%"), (4, "75%")],
    ids=["none of one", "half of two", "two of three", "three of four"],
)
def test_a_share_that_leaves_one_to_be_drained_is_taken(helm: Helm, replicas: int, share: str) -> None:
    budget = {"operator": {"replicas": replicas, "podDisruptionBudget": {"minAvailable": share}}}

    kept = [one["spec"]["minAvailable"] for one in helm.objects(budget) if one["kind"] == "PodDisruptionBudget"]

    assert kept == [share]


ALL: dict[str, Any] = {
    "agent": {"mode": "repartition"},
    "gateway": {"enabled": True},
    "exporter": {"enabled": True},
    "ui": {"enabled": True},
}


def env(helm: Helm, values: dict[str, Any], process: str) -> list[str]:
    """Names of the variables of a process's container, in their order."""
    (found,) = [
        one
        for one in helm.objects(values)
        if one["kind"] in ("Deployment", "DaemonSet") and one["metadata"]["name"] == f"aim-gpu-{process}"
    ]
    (container,) = found["spec"]["template"]["spec"]["containers"]
    return [one["name"] for one in container.get("env", ())]


@pytest.mark.parametrize("process", ["operator", "agent", "gateway", "exporter", "ui"])
def test_a_variable_is_given_once(helm: Helm, process: str) -> None:
    own = env(helm, ALL, process)
    assert process in ("exporter", "ui") or own

    for taken in own:
        extra = [{"name": "ANOTHER", "value": "1"}, {"name": taken, "value": "mine"}]
        with pytest.raises(
            ChartRefused, match=rf'{process}\.extraEnv\[1\]\.name: "{taken}" is set by the chart itself'
        ):
            helm.render(ALL | {process: {**ALL.get(process, {}), "extraEnv": extra}})
    twice = [{"name": "MINE", "value": "1"}, {"name": "MINE", "value": "2"}]
    with pytest.raises(ChartRefused, match=r'extraEnv\[1\]\.name: "MINE" is given twice: leave one of them out'):
        helm.render(ALL | {process: {**ALL.get(process, {}), "extraEnv": twice}})
    once = ALL | {process: {**ALL.get(process, {}), "extraEnv": twice[:1]}}
    assert env(helm, once, process) == [*own, "MINE"]


def test_every_object_of_the_schema_says_what_it_takes() -> None:
    open_ones = [path for path, node in _objects(SCHEMA) if "additionalProperties" not in node and path not in FREE]

    assert open_ones == []


def test_every_default_is_a_value_that_the_schema_knows() -> None:
    assert set(VALUES) == set(SCHEMA["properties"]) - {"global"}


FREE = {
    "/$defs/resources/properties/claims/items",
    "/$defs/spread/items",
    "/$defs/affinity/properties/nodeAffinity",
    "/$defs/affinity/properties/podAffinity",
    "/$defs/affinity/properties/podAntiAffinity",
    "/$defs/env/items/properties/valueFrom",
    "/properties/global",
    "/properties/agent/properties/updateStrategy/properties/rollingUpdate",
}
"""What Kubernetes itself reads, and checks: its own schemas are not said again."""


def _objects(node: Any, path: str = "") -> list[tuple[str, dict[str, Any]]]:
    if isinstance(node, list):
        return [found for index, one in enumerate(node) for found in _objects(one, f"{path}/{index}")]
    if not isinstance(node, dict):
        return []
    own = [(path, node)] if "object" in str(node.get("type", "")) else []
    return own + [found for key, one in node.items() for found in _objects(one, f"{path}/{key}")]
