"""Rules between fields, kept by the least change: a drawn object is made good instead of being thrown away."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from api.quantity import capped_quantity

Spec = dict[str, Any]


def repair(kind: str, version: str, spec: Spec) -> Spec:
    """``spec``, a fresh drawn value, changed where it breaks a rule of its kind and version."""
    for mend in _REPAIRS[kind, version]:
        mend(spec)
    return spec


def _ordered(owner: Spec, low: str, high: str) -> None:
    if low in owner and high in owner and owner[low] > owner[high]:
        owner[low], owner[high] = owner[high], owner[low]


def _grouped(owner: Spec) -> None:
    """A share group and cooperative isolation go together."""
    if "shareGroup" in owner:
        owner["isolation"] = "cooperative"
    elif owner.get("isolation") == "cooperative":
        owner["shareGroup"] = "team"


def _hub_service(spec: Spec) -> None:
    _ordered(spec, "replicas", "maxReplicas")
    _grouped(spec.get("gpuSharing", {}))
    qos = spec.get("qos", {})
    _ordered(qos.get("guarantees", {}), "minConcurrency", "maxConcurrency")
    if "slo" in qos:
        distinct = {
            (entry["metric"], entry.get("percentile", "p99"), entry["threshold"]): entry for entry in qos["slo"]
        }
        qos["slo"] = [entry | _some_objective(entry) for entry in distinct.values()]


def _some_objective(entry: Spec) -> Spec:
    return {"objective": "99.5"} if float(entry.get("objective", "99")) == 0 else {}


def _flat_service(spec: Spec) -> None:
    _ordered(spec, "minInstances", "maxInstances")
    _ordered(spec, "minRequests", "maxRequests")
    _grouped(spec)
    if "qosLevel" in spec:
        spec.pop("qosClass", None)
    elif spec.get("qosClass") in ("realtime", "standard", "batch"):
        spec["qosClass"] = "gold"
    if "queueLength" in spec or "queueTimeout" in spec:
        spec.setdefault("queueLength", 10)
        spec.setdefault("queueTimeout", "30s")


def _hub_policy(spec: Spec) -> None:
    for name in ("nodeSelector", "namespaceSelector"):
        for requirement in spec.get(name, {}).get("matchExpressions", ()):
            _valued(requirement)
    _windows(spec.get("repartition", {}))
    _quotas(spec)


def _flat_policy(spec: Spec) -> None:
    _windows(spec)
    _quotas(spec)


def _valued(requirement: Spec) -> None:
    """In and NotIn have values, the others none."""
    if requirement["operator"] not in ("In", "NotIn"):
        requirement.pop("values", None)
    elif not requirement.get("values"):
        requirement["values"] = ["a"]


def _windows(owner: Spec) -> None:
    for window in owner.get("windows", ()):
        if window["start"] == window["end"]:
            window["end"] = "00:01" if window["start"] != "00:01" else "00:02"


def _quotas(spec: Spec) -> None:
    for quota in spec.get("quotas", ()):
        if "min" not in quota and "max" not in quota:
            quota["max"] = "192Gi"
        elif "min" in quota and "max" in quota and capped_quantity(quota["min"]) > capped_quantity(quota["max"]):
            quota["min"], quota["max"] = quota["max"], quota["min"]


_REPAIRS: Final[Mapping[tuple[str, str], tuple[Callable[[Spec], None], ...]]] = {
    ("InferenceService", "v1beta1"): (_hub_service,),
    ("InferenceService", "v1alpha1"): (_flat_service,),
    ("GPUSharingPolicy", "v1beta1"): (_hub_policy,),
    ("GPUSharingPolicy", "v1alpha1"): (_flat_policy,),
}
