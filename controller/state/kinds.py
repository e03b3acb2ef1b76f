"""The resources of our own group, and the one of KServe's, as the client addresses them."""

from api.group import GROUP, V1BETA1
from controller.runtime.client.resource import Resource

INFERENCE_SERVICES = Resource(GROUP, V1BETA1, "inferenceservices", "InferenceService")
GPU_PARTITION_CLAIMS = Resource(GROUP, V1BETA1, "gpupartitionclaims", "GPUPartitionClaim")
GPU_NODES = Resource(GROUP, V1BETA1, "gpunodes", "GPUNode", namespaced=False)
REPARTITION_PLANS = Resource(GROUP, V1BETA1, "repartitionplans", "RepartitionPlan", namespaced=False)
MODEL_PROFILES = Resource(GROUP, V1BETA1, "modelprofiles", "ModelProfile", namespaced=False)
GPU_SHARING_POLICIES = Resource(GROUP, V1BETA1, "gpusharingpolicies", "GPUSharingPolicy", namespaced=False)

KSERVE_SERVICES = Resource("serving.kserve.io", "v1beta1", "inferenceservices", "InferenceService")
