"""How AMD's pods are told from all others: one table, each row with where it was read.

An image is known by the last part of its repository, which mirrors keep. The labeller shares its image with the device
plugin and the DRA driver's webhook shares its with the driver, so rows by image say more than the image.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final


class Role(StrEnum):
    """What a pod of AMD's does on its node, in words."""

    DEVICE_PLUGIN = "device plugin"
    DRA_PLUGIN = "DRA plugin"
    METRICS_EXPORTER = "metrics exporter"


@dataclass(frozen=True, slots=True)
class PodTraits:
    """What a pod is recognised by. `images` as (repository's last part, tag), tag "" where there is none."""

    labels: Mapping[str, str]
    service_account: str
    images: Collection[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Signature:
    """A pod has the role when everything that is given here holds.

    `labels`: these values. `app_suffix`: how the label `app` ends. `service_accounts`: one of them. `image`: the last
    part of a container's repository, whose tag does not begin with `other_tag`.
    """

    role: Role
    source: str
    labels: Mapping[str, str] = field(default_factory=dict)
    app_suffix: str = ""
    service_accounts: frozenset[str] = frozenset()
    image: str = ""
    other_tag: str = ""

    def matches(self, pod: PodTraits) -> bool:
        """Whether the pod is such a one."""
        return (
            all(pod.labels.get(key) == value for key, value in self.labels.items())
            and pod.labels.get("app", "").endswith(self.app_suffix)
            and (not self.service_accounts or pod.service_account in self.service_accounts)
            and (not self.image or any(self._is_image(*image) for image in pod.images))
        )

    def _is_image(self, repository: str, tag: str) -> bool:
        return repository == self.image and not (self.other_tag and tag.startswith(self.other_tag))


_PLUGIN_REPOSITORY = "ROCm/k8s-device-plugin (2026-08)"
_GPU_OPERATOR = "ROCm/gpu-operator (2026-08)"
_DRA_DRIVER = "ROCm/k8s-gpu-dra-driver (2025-10)"
_EXPORTER = "ROCm/device-metrics-exporter (2026-08)"

SIGNATURES: Final = (
    Signature(
        Role.DEVICE_PLUGIN, f"{_PLUGIN_REPOSITORY} k8s-ds-amdgpu-dp*.yaml, pod template", {"name": "amdgpu-dp-ds"}
    ),
    Signature(
        Role.DEVICE_PLUGIN,
        f"{_PLUGIN_REPOSITORY} helm/amd-gpu/templates/deviceplugin-daemonset.yaml",
        {"name": "amd-gpu-dp-ds"},
    ),
    Signature(
        Role.DEVICE_PLUGIN,
        f"{_GPU_OPERATOR} internal/plugin/plugin.go, the pod template's ServiceAccountName",
        service_accounts=frozenset({"amd-gpu-operator-kmm-device-plugin"}),
    ),
    Signature(
        Role.DEVICE_PLUGIN,
        f"{_PLUGIN_REPOSITORY} images of k8s-ds-amdgpu-dp.yaml and k8s-ds-amdgpu-labeller.yaml",
        image="k8s-device-plugin",
        other_tag="labeller",
    ),
    Signature(
        Role.DRA_PLUGIN,
        f"{_DRA_DRIVER} helm-charts-k8s/templates/kubeletplugin.yaml, image of helm-charts-k8s/values.yaml",
        {"app.kubernetes.io/component": "kubeletplugin"},
        image="k8s-gpu-dra-driver",
    ),
    Signature(
        Role.DRA_PLUGIN,
        f"{_GPU_OPERATOR} internal/plugin/plugin.go, the pod template's ServiceAccountName",
        service_accounts=frozenset({"amd-gpu-operator-dra-driver"}),
    ),
    Signature(
        Role.METRICS_EXPORTER,
        f"{_EXPORTER} helm-charts/templates/_helpers.tpl, appLabelWithReleaseName",
        app_suffix="-amdgpu-metrics-exporter",
    ),
    Signature(
        Role.METRICS_EXPORTER,
        f"{_GPU_OPERATOR} internal/metricsexporter/metricsexporter.go, defaultSAName and kubeRbacSAName",
        service_accounts=frozenset(
            {"amd-gpu-operator-metrics-exporter", "amd-gpu-operator-metrics-exporter-rbac-proxy"}
        ),
    ),
    Signature(Role.METRICS_EXPORTER, f"{_EXPORTER} helm-charts/values.yaml, image", image="device-metrics-exporter"),
)
"""Every way in which AMD installs these pods. The admission policy that holds exporters off says the same in CEL."""


def role_of(pod: PodTraits) -> Role | None:
    """What the pod does, None for one that is none of AMD's three."""
    return next((row.role for row in SIGNATURES if row.matches(pod)), None)


def repository_and_tag(image: str) -> tuple[str, str]:
    """The last part of an image's repository, and its tag: `registry:5000/rocm/x:v1@sha256:...` is ("x", "v1")."""
    last = image.partition("@")[0].rpartition("/")[2]
    name, _, tag = last.partition(":")
    return name, tag
