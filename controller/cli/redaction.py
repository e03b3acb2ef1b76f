"""What of an object may leave a cluster in a support bundle. An allow-list: what is not named here is not in it. Pure.

Values of environment variables, arguments that are not known, and annotations of others are where credentials stand;
their names stay, so that whoever reads the bundle sees that something was there.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

REDACTED: Final = "<redacted>"

#: Keys of annotations and labels whose values are kept, by what they begin with, and whole ones.
KNOWN_PREFIXES: Final = (
    "aim.amd.com/",
    "amd.com/",
    "beta.amd.com/",
    "app.kubernetes.io/",
    "kubernetes.io/",
    "node.kubernetes.io/",
    "beta.kubernetes.io/",
    "topology.kubernetes.io/",
    "node-role.kubernetes.io/",
    "feature.node.kubernetes.io/",
    "serving.kserve.io/",
)
KNOWN_KEYS: Final = frozenset({"app", "pod-template-hash", "controller-revision-hash"})

#: Options of engines whose values say nothing secret.
KNOWN_OPTIONS: Final = frozenset(
    {
        "--model",
        "--served-model-name",
        "--dtype",
        "--quantization",
        "--kv-cache-dtype",
        "--max-model-len",
        "--max-num-seqs",
        "--max-num-batched-tokens",
        "--gpu-memory-utilization",
        "--tensor-parallel-size",
        "--pipeline-parallel-size",
        "--enforce-eager",
        "--port",
        "--host",
        "--log-level",
    }
)

_SECRETS: Final = (
    re.compile(r"(?i)\b(bearer|basic)\s+[a-z0-9._~+/=-]{8,}"),
    re.compile(r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{4,}(\.[A-Za-z0-9_-]*)?"),
    re.compile(r"\b(hf_|sk-|ghp_|gho_|glpat-|xox[abps]-|AKIA)[A-Za-z0-9_-]{8,}"),
    re.compile(r"(?<=://)[^/\s:@]+:[^/\s@]+(?=@)"),
    re.compile(r"-----BEGIN [A-Z ]+-----.*?(-----END [A-Z ]+-----|$)", re.DOTALL),
)
_NAMED: Final = re.compile(
    r"(?i)([\"']?[\w.-]*(?:password|passwd|secret|token|api[_-]?key|credential|authorization)[\w.-]*[\"']?\s*[:=]\s*)"
    r"(\"[^\"]*\"|'[^']*'|[^\s,;}&]+)"
)


class Redactor:
    """Makes objects and texts fit to be shown, and counts what it took out, by the rule that said so. Mutable."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    def object(self, obj: Mapping[str, Any]) -> dict[str, Any]:
        """An object of a kind whose schema has no place for secrets but pod templates, of which see `_template`."""
        found = {key: self._value(value) for key, value in obj.items() if key != "metadata"}
        return {"metadata": self._metadata(obj.get("metadata") or {}), **found}

    def pod(self, pod: Mapping[str, Any]) -> dict[str, Any]:
        """A pod: of its spec what placement and the device plugin look at, no environment, volume or probe at all."""
        status = pod.get("status") or {}
        return {
            "metadata": self._metadata(pod.get("metadata") or {}),
            "spec": self._template(pod.get("spec") or {}),
            "status": {key: self._value(status[key]) for key in _POD_STATUS if key in status},
        }

    def node(self, node: Mapping[str, Any]) -> dict[str, Any]:
        """A Node: its labels, what there is of it, and its conditions; no addresses."""
        spec, status = node.get("spec") or {}, node.get("status") or {}
        return {
            "metadata": self._metadata(node.get("metadata") or {}),
            "spec": {key: spec[key] for key in ("unschedulable", "taints") if key in spec},
            "status": {
                key: self._value(status[key])
                for key in ("capacity", "allocatable", "conditions", "nodeInfo")
                if key in status
            },
        }

    def text(self, text: str) -> str:
        """A text of anybody's, without what looks like a credential."""
        for pattern in _SECRETS:
            text, count = pattern.subn(REDACTED, text)
            self.counts["texts that look like credentials"] += count
        text, count = _NAMED.subn(rf"\1{REDACTED}", text)
        self.counts["texts that look like credentials"] += count
        return text

    def _metadata(self, metadata: Mapping[str, Any]) -> dict[str, Any]:
        kept = {key: metadata[key] for key in _METADATA if key in metadata}
        for sort in ("labels", "annotations"):
            if metadata.get(sort):
                kept[sort] = {key: self._known(sort, key, value) for key, value in metadata[sort].items()}
        return kept

    def _known(self, sort: str, key: str, value: Any) -> Any:
        if key in KNOWN_KEYS or key.startswith(KNOWN_PREFIXES):
            return self.text(str(value))
        self.counts[f"values of {sort} of others"] += 1
        return REDACTED

    def _value(self, value: Any) -> Any:
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Sequence):
            return [self._value(each) for each in value]
        if isinstance(value, Mapping):
            return {key: self._field(key, each) for key, each in value.items()}
        return value

    def _field(self, key: str, value: Any) -> Any:
        match key:
            case "metadata" if isinstance(value, Mapping):
                return self._metadata(value)
            case "predictor" | "transformer" | "explainer" | "template" if isinstance(value, Mapping):
                return self._template(value)
            case "env" if isinstance(value, Sequence):
                return [self._variable(each) for each in value]
            case "args" | "command" if isinstance(value, Sequence):
                return self._arguments(value)
            case "annotations" | "labels" if isinstance(value, Mapping):
                return {name: self._known(key, name, each) for name, each in value.items()}
            case "data" | "stringData" | "binaryData" | "httpHeaders" | "parameters":
                self.counts[f"contents of {key}"] += 1
                return REDACTED
        return self._value(value)

    def _template(self, spec: Mapping[str, Any]) -> dict[str, Any]:
        """A pod's spec, a pod template, or what KServe has of one: what is in the list."""
        kept = {key: self._value(spec[key]) for key in _POD_SPEC if key in spec}
        for sort in ("initContainers", "containers", "workerSpec", "model"):
            told = spec.get(sort)
            if isinstance(told, Mapping):
                kept[sort] = self._container(told) if sort == "model" else self._template(told)
            elif told:
                kept[sort] = [self._container(each) for each in told]
        for inner in ("metadata", "spec"):
            if isinstance(spec.get(inner), Mapping):
                kept[inner] = self._metadata(spec[inner]) if inner == "metadata" else self._template(spec[inner])
        for sort in ("labels", "annotations"):
            if isinstance(spec.get(sort), Mapping):
                kept[sort] = {key: self._known(sort, key, value) for key, value in spec[sort].items()}
        self.counts["fields of pods that are not in the list"] += len(set(spec) - set(kept))
        return kept

    def _container(self, container: Mapping[str, Any]) -> dict[str, Any]:
        kept = {key: self._value(container[key]) for key in _CONTAINER if key in container}
        for sort in ("command", "args"):
            if container.get(sort):
                kept[sort] = self._arguments(container[sort])
        if container.get("env"):
            kept["env"] = [self._variable(each) for each in container["env"]]
        return kept

    def _variable(self, variable: Any) -> Any:
        """Its name; of a reference whom it names, never a value."""
        if not isinstance(variable, Mapping):
            self.counts["values of environment variables"] += 1
            return REDACTED
        kept = {key: variable[key] for key in ("name", "valueFrom") if key in variable}
        if "value" in variable:
            kept["value"] = REDACTED
            self.counts["values of environment variables"] += 1
        return kept

    def _arguments(self, arguments: Sequence[Any]) -> list[str]:
        """Names of options, and values of those that are known."""
        kept: list[str] = []
        known = False
        for each in map(str, arguments):
            option, equals, value = each.partition("=")
            if option.startswith("--"):
                known = option in KNOWN_OPTIONS
                shown = f"={self.text(value) if known else REDACTED}" if equals else ""
                kept.append(f"{option}{shown}")
                self.counts["arguments of engines"] += bool(equals) and not known
                known = known and not equals
                continue
            self.counts["arguments of engines"] += not known
            kept.append(self.text(each) if known else REDACTED)
            known = False
        return kept


_METADATA: Final = (
    "name",
    "namespace",
    "uid",
    "generation",
    "resourceVersion",
    "creationTimestamp",
    "deletionTimestamp",
    "finalizers",
    "ownerReferences",
)
_POD_SPEC: Final = (
    "nodeName",
    "nodeSelector",
    "affinity",
    "tolerations",
    "topologySpreadConstraints",
    "schedulingGates",
    "schedulerName",
    "priority",
    "priorityClassName",
    "preemptionPolicy",
    "resourceClaims",
    "minReplicas",
    "maxReplicas",
    "restartPolicy",
    "terminationGracePeriodSeconds",
)
_POD_STATUS: Final = ("phase", "reason", "message", "conditions", "containerStatuses", "resourceClaimStatuses")
_CONTAINER: Final = ("name", "image", "resources", "restartPolicy", "modelFormat", "runtime", "protocolVersion")
