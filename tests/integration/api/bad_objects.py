"""Objects that no API server may take, each with what its answer has to name: field, value and remedy."""

from dataclasses import dataclass
from typing import Any, NamedTuple

from tests.integration.api.small_objects import layout, small_object


class Problem(NamedTuple):
    """What the answer says of one field."""

    field: str
    value: str
    remedy: str


@dataclass(frozen=True)
class Bad:
    """One bad object: the smallest good one with some fields of its spec changed."""

    kind: str
    why: str
    changes: dict[str, Any]
    problems: tuple[Problem, ...]
    name: str = "checked"
    flat: bool = False

    @property
    def object(self) -> dict[str, Any]:
        return small_object(self.kind, self.changes, self.name, flat=self.flat)

    def __str__(self) -> str:
        return f"{'flat ' if self.flat else ''}{self.kind}: {self.why}"


def bad(kind: str, why: str, changes: dict[str, Any], *problems: tuple[str, str, str], name: str = "checked") -> Bad:
    return Bad(kind, why, changes, tuple(Problem(*problem) for problem in problems), name)


def service(why: str, changes: dict[str, Any], *problems: tuple[str, str, str], name: str = "checked") -> Bad:
    return bad("InferenceService", why, changes, *problems, name=name)


def policy(why: str, changes: dict[str, Any], *problems: tuple[str, str, str]) -> Bad:
    return bad("GPUSharingPolicy", why, changes, *problems)


def objective(**fields: str) -> dict[str, str]:
    return {"metric": "requestLatency", "threshold": "500ms"} | fields


def window(**fields: Any) -> dict[str, Any]:
    return {"start": "22:00", "end": "04:00"} | fields


def operation(before: dict[str, Any], after: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"operation": {"id": "a", "from": before, "to": after} | fields}


MODE = "spec.gpuSharing.partition.mode"
MIN_MEMORY = "spec.gpuSharing.partition.minMemory"
EXPRESSION = "spec.nodeSelector.matchExpressions"
ELSEWHERE = ("0000:05:00.0", "0000:99:00.0")

SERVICES = [
    service("AMD's spelling of a mode", {"gpuSharing.partition.mode": "cpx_nps4"}, (MODE, '"cpx_nps4"', "such as CPX/NPS4")),
    service("no such memory mode", {"gpuSharing.partition.mode": "CPX/NPS8"}, (MODE, '"CPX/NPS8"', "NPS4, such as")),
    service("more memory ranges than partitions", {"gpuSharing.partition.mode": "SPX/NPS4"}, (MODE, '"SPX/NPS4"', "write SPX/NPS1")),
    service("GB is no unit", {"gpuSharing.partition.minMemory": "24GB"}, (MIN_MEMORY, '"24GB"', "such as 24Gi")),
    service("no memory", {"gpuSharing.partition.minMemory": "0Gi"}, (MIN_MEMORY, '"0Gi"', "write more than 0")),
    service("more memory than there is", {"gpuSharing.partition.minMemory": "1.5Pi"}, (MIN_MEMORY, '"1.5Pi"', "write at most 1Pi")),
    service("cooperative without a group", {"gpuSharing.isolation": "cooperative"}, ("spec.gpuSharing.isolation", "isolation cooperative", "name the group")),
    service("a lone group", {"gpuSharing.shareGroup": "team"}, ("spec.gpuSharing.shareGroup", "shareGroup team", "set isolation cooperative")),
    service("a group in capitals", {"gpuSharing.isolation": "cooperative", "gpuSharing.shareGroup": "Team"}, ("spec.gpuSharing.shareGroup", '"Team"', "write lower-case letters")),
    service("a minimum above the maximum", {"qos.guarantees": {"minConcurrency": 9, "maxConcurrency": 3}}, ("spec.qos.guarantees.minConcurrency", "minConcurrency 9 is larger than maxConcurrency 3", "lower the one or raise the other")),
    service("more replicas than the most", {"replicas": 5, "maxReplicas": 4}, ("spec.replicas", "replicas 5 is larger than maxReplicas 4", "raise maxReplicas")),
    service("a model's name with a space", {"model.id": "Qwen Qwen3-8B"}, ("spec.model.id", '"Qwen Qwen3-8B"', "such as Qwen/Qwen3-8B")),
    service("no model's name", {"model.id": ""}, ("spec.model.id", '""', "such as Qwen/Qwen3-8B")),
    service("a profile's name with an underscore", {"model.profileRef": "my_profile"}, ("spec.model.profileRef", '"my_profile"', "write lower-case letters, digits, dashes and dots")),
    service("a policy's name with a space", {"gpuSharing.policyRef": "shared policy"}, ("spec.gpuSharing.policyRef", '"shared policy"', "write lower-case letters, digits, dashes and dots")),
    service("a class's name with a space", {"qos.class": "real time"}, ("spec.qos.class", '"real time"', "write lower-case letters, digits and dashes")),
    service("a threshold without a unit", {"qos.slo": [objective(threshold="500")]}, ("spec.qos.slo[0].threshold", '"500"', "such as 250ms or 1h30m")),
    service("a threshold of nothing", {"qos.slo": [objective(threshold="0ms")]}, ("spec.qos.slo[0].threshold", '"0ms"', "write more than 0, such as 500ms")),
    service("more than all", {"qos.slo": [objective(objective="101")]}, ("spec.qos.slo[0].objective", '"101"', "write a number up to 100")),
    service("a decimal comma", {"qos.slo": [objective(objective="99,9")]}, ("spec.qos.slo[0].objective", '"99,9"', "such as 99.5")),
    service("an objective of nothing", {"qos.slo": [objective(objective="0.0")]}, ("spec.qos.slo[0].objective", '"0.0"', "write the percent of the time")),
    service("one target twice", {"qos.slo": [objective(objective="90"), objective()]}, ("spec.qos.slo", 'threshold ["500ms", "500ms"]', "keep the one whose objective is meant")),
    service("a timeout in words", {"qos.queue.timeout": "1 minute"}, ("spec.qos.queue.timeout", '"1 minute"', "write numbers with the units")),
    service("a timeout of nothing", {"qos.queue.timeout": "0s"}, ("spec.qos.queue.timeout", '"0s"', "to refuse at once set maxLength 0")),
    service("a name that begins with a digit", {}, ("metadata.name", "1chat", "beginning with a letter"), name="1chat"),
    service("a name with a dot", {}, ("metadata.name", "chat.v2", "letters, digits and dashes"), name="chat.v2"),
    service("a name too long for a Service", {}, ("metadata.name", "c" * 54, "at most 53"), name="c" * 54),
    service("a precision nobody has", {"model.precision": "fp12"}, ("spec.model.precision", '"fp12"', '"fp8"')),
    service("an isolation nobody has", {"gpuSharing.isolation": "soft"}, ("spec.gpuSharing.isolation", '"soft"', '"cooperative"')),
    service("a percentile nobody has", {"qos.slo": [objective(percentile="p100")]}, ("spec.qos.slo[0].percentile", '"p100"', '"p99.9"')),
    service("less than no replica", {"replicas": -1}, ("spec.replicas", "-1", "greater than or equal to 0")),
    service("no partition", {"gpuSharing.partition.count": 0}, ("spec.gpuSharing.partition.count", "0", "greater than or equal to 1")),
    service(
        "two texts of another form",
        {"gpuSharing.partition": {"mode": "CPX", "minMemory": "lots"}},
        (MODE, '"CPX"', "such as CPX/NPS4"),
        (MIN_MEMORY, '"lots"', "such as 24Gi"),
    ),
    service(
        "two pairs in the wrong order",
        {"replicas": 2, "maxReplicas": 1, "qos.guarantees": {"minConcurrency": 2, "maxConcurrency": 1}},
        ("spec.qos.guarantees.minConcurrency", "minConcurrency 2 is larger", "raise the other"),
        ("spec.replicas", "replicas 2 is larger", "raise maxReplicas"),
    ),
    service(
        "an objective of nothing within nothing",
        {"qos.slo": [objective(threshold="0h0s", objective="00")]},
        ("spec.qos.slo[0].threshold", '"0h0s"', "such as 500ms"),
        ("spec.qos.slo[0].objective", '"00"', "such as 99.5"),
    ),
    service(
        "a name of another form and a number out of bounds",
        {"model.id": "Qwen:8b", "gpuSharing.partition.count": 65},
        ("spec.model.id", '"Qwen:8b"', "such as Qwen/Qwen3-8B"),
        ("spec.gpuSharing.partition.count", "65", "less than or equal to 64"),
    ),
]  # fmt: skip

POLICIES = [
    policy("half a mode", {"allowedModes": ["CPX"]}, ("spec.allowedModes[0]", '"CPX"', "such as CPX/NPS4")),
    policy("a mode that no GPU has", {"allowedModes": ["CPX/NPS4", "DPX/NPS4"]}, ("spec.allowedModes[1]", '"DPX/NPS4"', "write SPX/NPS1, DPX/NPS1, DPX/NPS2")),
    policy("a cooldown without a unit", {"repartition.cooldown": "10"}, ("spec.repartition.cooldown", '"10"', "such as 250ms or 1h30m")),
    policy("a cooldown of years", {"repartition.cooldown": "721h"}, ("spec.repartition.cooldown", '"721h"', "write at most 720h")),
    policy("a gain that has to last for years", {"defragmentation.after": "721h"}, ("spec.defragmentation.after", '"721h"', "write at most 720h")),
    policy("a rest beyond all calendars", {"defragmentation.rest": "999999999h"}, ("spec.defragmentation.rest", '"999999999h"', "set enabled false")),
    policy("a gain of nothing", {"defragmentation.minGain": 0}, ("spec.defragmentation.minGain", "0", "1")),
    policy("a cooldown beyond all calendars", {"repartition.cooldown": "999999999h"}, ("spec.repartition.cooldown", '"999999999h"', "set enabled false")),
    policy("a window that closes as it opens", {"repartition.windows": [window(), window(end="22:00")]}, ("spec.repartition.windows[1].end", "closes at 22:00", "give another end")),
    policy("an hour that no day has", {"repartition.windows": [window(start="24:00")]}, ("spec.repartition.windows[0].start", '"24:00"', "write HH:MM")),
    policy("a time zone with a space", {"repartition.windows": [window(timezone="Europe Helsinki")]}, ("spec.repartition.windows[0].timezone", '"Europe Helsinki"', "such as UTC or Europe/Helsinki")),
    policy("a quota's minimum above its maximum", {"quotas": [{"namespace": "a", "min": "2Gi", "max": "1.5Gi"}]}, ("spec.quotas[0].min", "min 2Gi is larger than max 1.5Gi", "raise max")),
    policy("a quota of nothing", {"quotas": [{"namespace": "a", "max": "1Gi"}, {"namespace": "b"}]}, ("spec.quotas[1]", "namespace b", "set min, max or both")),
    policy("a quota in words", {"quotas": [{"namespace": "a", "max": "lots"}]}, ("spec.quotas[0].max", '"lots"', "such as 24Gi")),
    policy("a namespace in capitals", {"quotas": [{"namespace": "Team", "max": "1Gi"}]}, ("spec.quotas[0].namespace", '"Team"', "write lower-case letters")),
    policy("a class's name with a space", {"qosClasses": [{"name": "real time", "rank": 0}]}, ("spec.qosClasses[0].name", '"real time"', "write lower-case letters")),
    policy("starved from the start", {"qosClasses": [{"name": "a", "rank": 0, "starvationAfter": "0.0s"}]}, ("spec.qosClasses[0].starvationAfter", '"0.0s"', "write more than 0, such as 10s")),
    policy("a class without weight", {"qosClasses": [{"name": "a", "rank": 0, "weight": 0}]}, ("spec.qosClasses[0].weight", "0", "greater than or equal to 1")),
    policy("In without values", {"nodeSelector.matchExpressions": [{"key": "zone", "operator": "In"}]}, (f"{EXPRESSION}[0].values", "operator In of key zone", "give some, or write Exists")),
    policy("Exists with values", {"nodeSelector.matchExpressions": [{"key": "zone", "operator": "Exists", "values": ["a"]}]}, (f"{EXPRESSION}[0].values", "operator Exists of key zone", "leave values out")),
    policy("a label's key with its value", {"nodeSelector.matchExpressions": [{"key": "zone=a", "operator": "Exists"}]}, (f"{EXPRESSION}[0].key", '"zone=a"', "such as example.com/")),
    policy("a label's value with a space", {"namespaceSelector.matchLabels": {"team": "team a"}}, ("spec.namespaceSelector.matchLabels", '"team a"', "cannot be the value of a label: write letters")),
    policy("an approval nobody gives", {"repartition.approval": "Yes"}, ("spec.repartition.approval", '"Yes"', '"Manual"')),
    policy(
        "a long rest and no window",
        {"repartition.cooldown": "1000h", "repartition.windows": [window(start="04:00")]},
        ("spec.repartition.cooldown", '"1000h"', "write at most 720h"),
        ("spec.repartition.windows[0].end", "closes at 04:00", "give another end"),
    ),
    policy(
        "a mode and a selector",
        {"allowedModes": ["TPX/NPS4"], "nodeSelector.matchExpressions": [{"key": "zone", "operator": "NotIn"}]},
        ("spec.allowedModes[0]", '"TPX/NPS4"', "TPX/NPS1"),
        (f"{EXPRESSION}[0].values", "operator NotIn of key zone", "give some"),
    ),
    policy(
        "two quotas",
        {"quotas": [{"namespace": "a", "min": "3G", "max": "2Gi"}, {"namespace": "b"}]},
        ("spec.quotas[0].min", "min 3G is larger than max 2Gi", "lower min"),
        ("spec.quotas[1]", "namespace b", "set min, max or both"),
    ),
]  # fmt: skip


def claim(why: str, changes: dict[str, Any], *problems: tuple[str, str, str]) -> Bad:
    return bad("GPUPartitionClaim", why, changes, *problems)


CLAIMS = [
    claim("no holder", {"podRef": None}, ("spec", "neither podRef nor shareGroup", "set exactly one of podRef and shareGroup")),
    claim("two holders", {"shareGroup": "team"}, ("spec", "podRef chat-0 and shareGroup team", "set exactly one of podRef and shareGroup")),
    claim("a pod that shares", {"requirement.isolation": "cooperative"}, ("spec.requirement.isolation", "isolation cooperative", "write hardware for a pod")),
    claim("a group that does not share", {"podRef": None, "shareGroup": "team"}, ("spec.requirement.isolation", "isolation hardware", "cooperative for a share group")),
    claim("memory in words", {"requirement.memory": "lots"}, ("spec.requirement.memory", '"lots"', "such as 24Gi")),
    claim("no memory", {"requirement.memory": "0"}, ("spec.requirement.memory", '"0"', "write more than 0")),
    claim("half a mode", {"requirement.modes": ["CPX"]}, ("spec.requirement.modes[0]", '"CPX"', "such as CPX/NPS4")),
    claim("no partition", {"requirement.count": 0}, ("spec.requirement.count", "0", "greater than or equal to 1")),
    claim("a pod's name with an underscore", {"podRef.name": "chat_0"}, ("spec.podRef.name", '"chat_0"', "write lower-case letters")),
    claim(
        "two texts of another form",
        {"requirement": {"memory": "1e3", "modes": ["cpx/nps4"]}},
        ("spec.requirement.memory", '"1e3"', "such as 24Gi"),
        ("spec.requirement.modes[0]", '"cpx/nps4"', "such as CPX/NPS4"),
    ),
]  # fmt: skip


def node(why: str, changes: dict[str, Any], *problems: tuple[str, str, str]) -> Bad:
    return bad("GPUNode", why, changes, *problems)


NODES = [
    node("two memory modes on a node", operation(layout("SPX/NPS1", "SPX/NPS1"), layout("CPX/NPS4", "DPX/NPS2")), ("spec.operation.to", 'memory modes ["NPS2", "NPS4"]', "give every GPU the same NPS")),
    node("no way back", operation(layout("CPX/NPS1", "CPX/NPS4"), layout("SPX/NPS1", "SPX/NPS1")), ("spec.operation.from", 'memory modes ["NPS1", "NPS4"]', "give every GPU the same NPS")),
    node("other GPUs", operation(layout("SPX/NPS1"), layout("CPX/NPS1", bdfs=ELSEWHERE[1:])), ("spec.operation.to", '["0000:99:00.0", "0000:05:00.0"]', "name the same GPUs in both")),
    node("nothing changes", operation(layout("SPX/NPS1"), layout("SPX/NPS1")), ("spec.operation.to", 'modes ["SPX/NPS1"]', "give another mode")),
    node("an address without a domain", operation(layout("SPX/NPS1", bdfs=("05:00.0",)), layout("CPX/NPS1", bdfs=("05:00.0",))), ("spec.operation.to.gpus[0].bdf", '"05:00.0"', "such as 0000:05:00.0")),
    node("AMD's spelling of a mode", operation(layout("SPX/NPS1"), layout("cpx_nps1")), ("spec.operation.to.gpus[0].mode", '"cpx_nps1"', "such as CPX/NPS4")),
    node("no identity", operation(layout("SPX/NPS1"), layout("CPX/NPS1"), id=""), ("spec.operation.id", '""', "at least 1")),
    node(
        "a GPU too many, in another memory mode",
        operation(layout("SPX/NPS1"), layout("CPX/NPS1", "CPX/NPS4")),
        ("spec.operation.to", '["0000:26:00.0"]', "name the same GPUs in both"),
        ("spec.operation.to", 'memory modes ["NPS1", "NPS4"]', "give every GPU the same NPS"),
    ),
]  # fmt: skip


def plan(why: str, changes: dict[str, Any], *problems: tuple[str, str, str]) -> Bad:
    return bad("RepartitionPlan", why, changes, *problems)


PLANS = [
    plan("nothing changes", {"to": layout("SPX/NPS1", "SPX/NPS1")}, ("spec.to", 'modes ["SPX/NPS1", "SPX/NPS1"]', "give another mode")),
    plan("other GPUs", {"to": layout("CPX/NPS4", "CPX/NPS4", bdfs=ELSEWHERE)}, ("spec.to", '["0000:99:00.0", "0000:26:00.0"]', "name the same GPUs in both")),
    plan("two memory modes on a node", {"to": layout("CPX/NPS1", "CPX/NPS4")}, ("spec.to", 'memory modes ["NPS1", "NPS4"]', "give every GPU the same NPS")),
    plan("no way back", {"from": layout("CPX/NPS1", "CPX/NPS4")}, ("spec.from", 'memory modes ["NPS1", "NPS4"]', "give every GPU the same NPS")),
    plan("a mode that no GPU has", {"to": layout("SPX/NPS4", "SPX/NPS4")}, ("spec.to", '["SPX/NPS4", "SPX/NPS4"]', "write SPX/NPS1, DPX/NPS1")),
    plan("a node's name in capitals", {"node": "Worker"}, ("spec.node", '"Worker"', "write lower-case letters")),
    plan("an approval nobody gives", {"approval": "Yes"}, ("spec.approval", '"Yes"', '"Manual"')),
    plan(
        "a node and a claim's namespace",
        {"node": "worker_0", "claimRef.namespace": "team a"},
        ("spec.node", '"worker_0"', "write lower-case letters"),
        ("spec.claimRef.namespace", '"team a"', "write lower-case letters, digits and dashes"),
    ),
]  # fmt: skip


def profile(why: str, changes: dict[str, Any], *problems: tuple[str, str, str]) -> Bad:
    return bad("ModelProfile", why, changes, *problems)


FACTS = "spec.architecture"
HEADS = {"kvHeads": 8, "headDim": 128}
EXPERTS = {"layers": 32, "count": 8, "perToken": 2, "intermediateSize": 1024}

PROFILES = [
    profile("heads that do not divide", {"architecture.kvHeads": 5}, (f"{FACTS}.attentionHeads", "attentionHeads 32 is no multiple of kvHeads 5", "check num_attention_heads and num_key_value_heads")),
    profile("more active than there are", {"architecture.totalParams": 8 * 10**9, "architecture.activeParams": 9 * 10**9}, (f"{FACTS}.activeParams", "activeParams 9000000000", "give at most totalParams")),
    profile("parameters in billions", {"architecture.totalParams": 8}, (f"{FACTS}.totalParams", "totalParams 8 is less", "8000000000 for 8B")),
    profile("more attending layers than layers", {"architecture.fullAttentionLayers": 33}, (f"{FACTS}.fullAttentionLayers", "fullAttentionLayers 33 is larger than layers 32", "give at most layers")),
    profile("half of latent attention", {"architecture.qkRopeHeadDim": 64}, (f"{FACTS}.qkRopeHeadDim", "qkRopeHeadDim 64", "give kvLoraRank, too")),
    profile("a rotary part wider than a key", {"architecture.kvLoraRank": 512, "architecture.qkRopeHeadDim": 128}, (f"{FACTS}.qkRopeHeadDim", "qkRopeHeadDim 128", "give the whole width as headDim")),
    profile("local layers without a window", {"architecture.fullAttentionLayers": 8}, (f"{FACTS}.fullAttentionLayers", "fullAttentionLayers 8", "give slidingWindow")),
    profile("no word of what layers keep", {"architecture.headDim": None}, (FACTS, "what the layers keep", "or layerGroups where layers differ")),
    profile("no word of an MLP", {"architecture.intermediateSize": None}, (FACTS, "how wide the MLPs are", "give intermediateSize")),
    profile("groups of another number of layers", {"architecture.layerGroups": [{"layers": 30, "full": HEADS}]}, (f"{FACTS}.layerGroups", "30 layers of 32", "sum up to layers")),
    profile("a group that keeps two kinds", {"architecture.layerGroups": [{"layers": 32, "full": HEADS, "cross": HEADS | {"tokens": 1}}]}, (f"{FACTS}.layerGroups[0]", "32 layers", "set exactly one of")),
    profile("a window beside groups", {"architecture.slidingWindow": 4096, "architecture.layerGroups": [{"layers": 32, "full": HEADS}]}, (f"{FACTS}.layerGroups", "layerGroups say it all", "leave slidingWindow")),
    profile("more chosen experts than there are", {"architecture.experts": EXPERTS | {"perToken": 9}}, (f"{FACTS}.experts.perToken", "perToken 9 is larger than count 8", "give the experts")),
    profile("more mixtures than layers", {"architecture.experts": EXPERTS | {"layers": 33}}, (f"{FACTS}.experts", "experts in 33 layers of 32", "give the layers that are a mixture")),
    profile("an encoder larger than the model", {"architecture.visionParams": 10**12}, (f"{FACTS}.totalParams", "totalParams 1000000000000", "give a total that has them")),
    profile("a model's name with a space", {"modelId": "my model"}, ("spec.modelId", '"my model"', "such as Qwen/Qwen3-8B")),
    profile("no weights", {"overrides.weightsBytes": 0}, ("spec.overrides.weightsBytes", "weightsBytes 0", "leave it out to have them computed")),
    profile("a precision nobody has", {"precisions": ["fp12"]}, ("spec.precisions[0]", '"fp12"', '"mxfp4"')),
    profile("no layer", {"architecture.layers": 0}, (f"{FACTS}.layers", "0", "greater than or equal to 1")),
    profile(
        "two figures that do not go together",
        {"architecture.attentionHeads": 30, "architecture.activeParams": 2 * 10**12},
        (f"{FACTS}.attentionHeads", "attentionHeads 30", "check num_attention_heads"),
        (f"{FACTS}.activeParams", "activeParams 2000000000000", "give at most totalParams"),
    ),
]  # fmt: skip


def flat(kind: str, why: str, changes: dict[str, Any], *problems: tuple[str, str, str]) -> Bad:
    return Bad(kind, why, changes, tuple(Problem(*problem) for problem in problems), flat=True)


FLAT = (
    flat("InferenceService", "a number with a unit", {"memoryGB": "24Gi"}, ("spec.memoryGB", '"24Gi"', "write it without a unit, such as 24")),
    flat("InferenceService", "a level and a class", {"qosLevel": "high", "qosClass": "chat"}, ("spec.qosClass", "qosLevel high and qosClass chat", "leave one out")),
    flat("InferenceService", "AMD's spelling of a mode", {"partition": "cpx_nps4"}, ("spec.partition", '"cpx_nps4"', "such as CPX/NPS4")),
    flat(
        "InferenceService",
        "two pairs in the wrong order",
        {"minInstances": 2, "maxInstances": 1, "minRequests": 2, "maxRequests": 1},
        ("spec.minInstances", "minInstances 2 is larger", "raise maxInstances"),
        ("spec.minRequests", "minRequests 2 is larger", "raise the other"),
    ),
    flat("GPUSharingPolicy", "half a mode", {"allowedModes": ["CPX"]}, ("spec.allowedModes[0]", '"CPX"', "such as CPX/NPS4")),
)  # fmt: skip
"""Bad objects of v1alpha1."""

BAD_OBJECTS: tuple[Bad, ...] = (*SERVICES, *POLICIES, *CLAIMS, *NODES, *PLANS, *PROFILES)
