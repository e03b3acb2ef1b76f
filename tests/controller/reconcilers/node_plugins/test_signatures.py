"""Pods as AMD's manifests write them, and pods that look like them."""

import pytest

from controller.reconcilers.node_plugins.signatures import (
    SIGNATURES,
    PodTraits,
    Role,
    repository_and_tag,
    role_of,
)
from e2e.chart.installed import the


def pod(image: str = "", account: str = "default", **labels: str) -> PodTraits:
    named = {key.replace("__", "/").replace("_", "-"): value for key, value in labels.items()}
    return PodTraits(named, account, [repository_and_tag(image)])


COMPONENT = "app.kubernetes.io/component"


@pytest.mark.parametrize(
    ("traits", "want"),
    [
        pytest.param(pod("rocm/k8s-device-plugin", name="amdgpu-dp-ds"), Role.DEVICE_PLUGIN, id="plain manifest"),
        pytest.param(pod("mirror/any", name="amd-gpu-dp-ds"), Role.DEVICE_PLUGIN, id="Helm chart, image renamed"),
        pytest.param(
            pod("mirror/any", "amd-gpu-operator-kmm-device-plugin", daemonset_name="gpus"),
            Role.DEVICE_PLUGIN,
            id="gpu-operator's device plugin",
        ),
        pytest.param(pod("reg:5000/a/k8s-device-plugin:1.31.0.9"), Role.DEVICE_PLUGIN, id="by image, a mirror's"),
        pytest.param(pod("rocm/k8s-device-plugin:labeller-1.31.0.9", name="amdgpu-lr-ds"), None, id="labeller"),
        pytest.param(
            PodTraits({COMPONENT: "kubeletplugin"}, "x", [("k8s-gpu-dra-driver", "v1")]),
            Role.DRA_PLUGIN,
            id="DRA driver's chart",
        ),
        pytest.param(
            PodTraits({COMPONENT: "webhook"}, "x", [("k8s-gpu-dra-driver", "v1")]), None, id="DRA driver's webhook"
        ),
        pytest.param(
            PodTraits({COMPONENT: "kubeletplugin"}, "x", [("nvidia-dra-driver", "v1")]), None, id="another's DRA driver"
        ),
        pytest.param(pod("any", "amd-gpu-operator-dra-driver"), Role.DRA_PLUGIN, id="gpu-operator's DRA driver"),
        pytest.param(pod("any", app="mon-amdgpu-metrics-exporter"), Role.METRICS_EXPORTER, id="exporter's chart"),
        pytest.param(
            pod("any", "amd-gpu-operator-metrics-exporter-rbac-proxy"), Role.METRICS_EXPORTER, id="exporter with proxy"
        ),
        pytest.param(pod("rocm/device-metrics-exporter@sha256:0"), Role.METRICS_EXPORTER, id="exporter by image"),
        pytest.param(pod("quay.io/any/metrics-exporter:v1", app="metrics-exporter"), None, id="any other exporter"),
        pytest.param(pod(), None, id="nothing to go by"),
    ],
)
def test_a_pod_is_told_by_what_its_manifest_says(traits: PodTraits, want: Role | None) -> None:
    assert role_of(traits) is want


@pytest.mark.parametrize(
    ("image", "want"),
    [
        ("rocm/k8s-device-plugin", ("k8s-device-plugin", "")),
        ("registry:5000/rocm/x:v1@sha256:0", ("x", "v1")),
        ("x@sha256:0", ("x", "")),
        ("", ("", "")),
    ],
)
def test_repository_and_tag(image: str, want: tuple[str, str]) -> None:
    assert repository_and_tag(image) == want


def test_every_row_says_something_to_go_by_and_where_it_was_read() -> None:
    for row in SIGNATURES:
        assert row.source.startswith("ROCm/")
        assert not row.matches(PodTraits({}, "", []))


def test_admission_policy_knows_the_same_exporters() -> None:
    policy = the("ValidatingAdmissionPolicy", "aim-gpu-exporter-pause")
    expression = policy["spec"]["matchConditions"][0]["expression"]
    rows = [row for row in SIGNATURES if row.role is Role.METRICS_EXPORTER]
    told = {row.app_suffix for row in rows} | {row.image for row in rows}
    told |= {account for row in rows for account in row.service_accounts}
    assert all(f'"{text}"' in expression or f"(^|/){text}([:@]|$)" in expression for text in told - {""})
    assert expression.count('"') == 2 * (len(told - {""}) + 4)  # "app", two empty defaults, and nothing else but those
