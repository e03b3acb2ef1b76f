"""Names that every part of the product agrees on: the API group, label and annotation keys, the gate.

Users write the keys of :data:`REQUEST_KEYS`; the operator alone writes those of :data:`ASSIGNMENT_KEYS`.
"""

from typing import Final, Literal

GROUP: Final = "aim.amd.com"
"""API group of all kinds."""

V1BETA1: Final = "v1beta1"
"""The hub and storage version."""

V1ALPHA1: Final = "v1alpha1"
"""The flat version, served for InferenceService and GPUSharingPolicy, converted to the hub and back."""

API_VERSION: Final[Literal["aim.amd.com/v1beta1"]] = "aim.amd.com/v1beta1"
"""``apiVersion`` of every object of the hub version."""

GPU_SHARING: Final = f"{GROUP}/gpu-sharing"
"""Opts a pod template or a KServe InferenceService in ("true") or out ("false"); anything else is refused."""

MODEL_ID: Final = f"{GROUP}/model-id"
"""The model to size, e.g. ``Qwen/Qwen3-8B``."""

MODEL_PROFILE: Final = f"{GROUP}/model-profile"
"""The ModelProfile whose facts size the model, by name; the oldest for the model, or the catalogue, when absent."""

PRECISION: Final = f"{GROUP}/precision"
"""The precision of the weights; ``auto`` when absent."""

MAX_MODEL_LEN: Final = f"{GROUP}/max-model-len"
"""Longest sequence in tokens, prompt and output together."""

MAX_CONCURRENCY: Final = f"{GROUP}/max-concurrency"
"""Sequences served at once, for which KV cache is reserved."""

PARTITION_MODE: Final = f"{GROUP}/partition-mode"
"""The only partition mode to accept, e.g. ``CPX/NPS4``; any allowed one when absent."""

PARTITION_COUNT: Final = f"{GROUP}/partition-count"
"""How many partitions of one node each pod gets, a rank on each; 1 when absent."""

PARTITION_MIN_MEMORY: Final = f"{GROUP}/partition-min-memory"
"""Memory that each of the partitions has at least, as a quantity; what the model needs when absent."""

ISOLATION: Final = f"{GROUP}/isolation"
"""``hardware`` (the default) or ``cooperative``."""

SHARE_GROUP: Final = f"{GROUP}/share-group"
"""The group of pods, in one namespace, that share one partition."""

QOS_CLASS: Final = f"{GROUP}/qos-class"
"""The class of the policy under which requests are served."""

POLICY: Final = f"{GROUP}/policy"
"""The GPUSharingPolicy to use, by name."""

GANG: Final = f"{GROUP}/gang"
"""The gang a pod belongs to: pods of one namespace that get their partitions all together or not at all."""

GANG_SIZE: Final = f"{GROUP}/gang-size"
"""How many pods the gang has."""

REQUEST_KEYS: Final = (
    GPU_SHARING,
    MODEL_ID,
    MODEL_PROFILE,
    PRECISION,
    MAX_MODEL_LEN,
    MAX_CONCURRENCY,
    PARTITION_MODE,
    PARTITION_COUNT,
    PARTITION_MIN_MEMORY,
    ISOLATION,
    SHARE_GROUP,
    QOS_CLASS,
    POLICY,
    GANG,
    GANG_SIZE,
)
"""Annotations a user may write."""

ASSIGNED_NODE: Final = f"{GROUP}/assigned-node"
"""The node a pod was bound to."""

ASSIGNED_PARTITION: Final = f"{GROUP}/assigned-partition"
"""The partition a pod was bound to, ``<bdf>/<partition id>``."""

ENGINE_ARGS: Final = f"{GROUP}/engine-args"
"""Engine arguments that keep the model within its partition; read through the downward API."""

PROFILE_ID: Final = f"{GROUP}/profile-id"
"""The AIM profile chosen for the pod."""

ASSIGNED_ISOLATION: Final = f"{GROUP}/assigned-isolation"
"""What keeps the pod's model apart from its neighbours on the GPU, in the words of its claim."""

ASSIGNED_CU_MASK: Final = f"{GROUP}/assigned-cu-mask"
"""For a member of a share group: its compute units, as ROCm reads them from ``HSA_CU_MASK``."""

ASSIGNED_FRACTION: Final = f"{GROUP}/assigned-fraction"
"""For a member of a share group: its part of the partition's memory, 0 to 1."""

ASSIGNED_VISIBLE_DEVICES: Final = f"{GROUP}/assigned-visible-devices"
"""For a member of a share group: the device within its container, a hint; what it can open decides."""

ASSIGNMENT_KEYS: Final = (
    ASSIGNED_NODE,
    ASSIGNED_PARTITION,
    ENGINE_ARGS,
    PROFILE_ID,
    ASSIGNED_ISOLATION,
    ASSIGNED_CU_MASK,
    ASSIGNED_FRACTION,
    ASSIGNED_VISIBLE_DEVICES,
)
"""Annotations that the operator alone writes, on UPDATE; nobody may carry them at CREATE."""

ONLY_IN_HUB: Final = f"{GROUP}/v1beta1-only"
"""On objects read as v1alpha1: what that version cannot say, kept for the way back. Absent when it can say all."""

GATE: Final = f"{GROUP}/partition"
"""The scheduling gate that holds a pod until a partition is bound to it."""

MANAGED_LABEL: Final = f"{GROUP}/managed"
"""On a Node: ``"true"`` asks the operator to manage its GPUs."""

SERVICE_LABEL: Final = f"{GROUP}/inference-service"
"""On objects made for an InferenceService, and on the claims of its pods: its name. On claims also that of KServe's, or
of the Deployment or other workload that made the pod.
"""

ENGINE_LABEL: Final = f"{GROUP}/engine"
"""On every pod that asks for a partition, ``"true"``: the pod webhook puts it there, for NetworkPolicies to select."""

PROFILES_LABEL: Final = f"{GROUP}/profiles"
"""On a ConfigMap of AIM profiles that the operator keeps: ``service`` or ``pods``, for whom it is."""

CLAIM_LABEL: Final = f"{GROUP}/claim"
"""On a ResourceClaim made by the operator: the name of its GPUPartitionClaim."""

PINNED_NODE: Final = f"{GROUP}/pinned-node"
"""On a ResourceClaim made by the operator: the node that it is pinned to. Agents of other nodes do not hear of it; a
guard keeps everybody else from writing it."""

CLAIM_PREFIX: Final = "aim-"
"""Names of our claims start so; only the operator creates ResourceClaims with such a name."""

GROUP_CLAIM_PREFIX: Final = f"{CLAIM_PREFIX}group-"
"""Names of share groups' claims start so; the rest follows from namespace and group."""

FINALIZER: Final = f"{GROUP}/release"
"""On our own objects: released before they go. Never put on objects of others."""

OPERATOR_NAMESPACE: Final = "aim-gpu-system"
"""Where the operator is installed unless the administrator chooses another namespace."""

OPERATOR_SERVICE: Final = "aim-gpu-operator"
"""The Service by which the API server calls the operator's webhooks."""

MIRRORED_CONDITION: Final = "GPUPartitionAllocated"
"""The one condition, of severity Info, that we set on an InferenceService of KServe's."""
