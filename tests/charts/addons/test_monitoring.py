"""What Prometheus' operator and Grafana are given: it reaches every process, and is what dashboards and rules say."""

import base64
import gzip
import json
from pathlib import Path

import pytest

from dashboards.__main__ import files as dashboards
from dashboards.rules.alerts import rules
from e2e.chart import CHART, Helm
from tests.charts.addons.rendered import Object, of_kind, one

PROCESSES = {"gateway": {"enabled": True}, "exporter": {"enabled": True}, "ui": {"enabled": True}}
PROMETHEUS = {"kind": "ServiceAccount", "name": "prometheus", "namespace": "monitoring"}
RELEASE_BYTES = 1024 * 1024
"""What a Secret holds, and Helm keeps a release in one."""


def monitored(helm: Helm, **values: object) -> list[Object]:
    return helm.objects(PROCESSES | {"monitoring": {"serviceMonitor": {"enabled": True, **values}}})


def test_nothing_of_prometheus_operators_is_made_unless_asked_for(helm: Helm) -> None:
    kinds = {obj["apiVersion"].partition("/")[0] for obj in helm.objects(PROCESSES)}
    assert "monitoring.coreos.com" not in kinds


def test_the_metrics_of_all_five_processes_are_chosen(helm: Helm) -> None:
    objects = monitored(helm)
    spec = one(objects, "ServiceMonitor", "aim-gpu-sharing")["spec"]
    (endpoint,) = spec["endpoints"]
    chosen = {
        service["metadata"]["labels"][spec["jobLabel"]]
        for service in of_kind(objects, "Service").values()
        if spec["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
        and service["metadata"]["namespace"] in spec["namespaceSelector"]["matchNames"]
        and endpoint["port"] in [port["name"] for port in service["spec"]["ports"]]
    }
    assert chosen == {"aim-gpu-operator", "aim-gpu-agent", "aim-gpu-gateway", "aim-gpu-exporter", "aim-gpu-ui"}


def test_it_asks_over_https_with_its_own_token_and_keeps_our_labels(helm: Helm) -> None:
    (endpoint,) = one(monitored(helm), "ServiceMonitor", "aim-gpu-sharing")["spec"]["endpoints"]
    assert endpoint["scheme"] == "https"
    assert endpoint["honorLabels"]
    assert endpoint["bearerTokenFile"] == "/var/run/secrets/kubernetes.io/serviceaccount/token"
    assert endpoint["interval"] == "15s"


def test_a_token_of_a_secret_takes_the_place_of_its_own(helm: Helm) -> None:
    objects = monitored(helm, tokenSecret={"name": "scraper"})
    (endpoint,) = one(objects, "ServiceMonitor", "aim-gpu-sharing")["spec"]["endpoints"]
    assert endpoint["authorization"]["credentials"] == {"name": "scraper", "key": "token"}
    assert "bearerTokenFile" not in endpoint


def test_readers_get_the_right_to_read_and_nobody_else(helm: Helm) -> None:
    bound = one(monitored(helm, readerSubjects=[PROMETHEUS]), "ClusterRoleBinding", "aim-gpu-metrics-reader")
    assert bound["subjects"] == [PROMETHEUS]
    assert bound["roleRef"]["name"] in of_kind(helm.objects(), "ClusterRole")
    assert "aim-gpu-metrics-reader" not in of_kind(helm.objects(), "ClusterRoleBinding")


def test_rules_are_given_as_they_are_with_the_labels_of_values(helm: Helm) -> None:
    objects = helm.objects({"monitoring": {"prometheusRule": {"enabled": True, "labels": {"release": "stack"}}}})
    rule = one(objects, "PrometheusRule", "aim-gpu-sharing")
    assert rule["spec"] == rules()
    assert rule["metadata"]["labels"]["release"] == "stack"


def test_every_dashboard_is_a_config_map_that_the_sidecar_finds(helm: Helm) -> None:
    objects = helm.objects({"monitoring": {"dashboards": {"enabled": True, "namespace": "grafana"}}})
    made = [obj for name, obj in of_kind(objects, "ConfigMap").items() if name.startswith("aim-gpu-dashboard-")]
    assert {name: text for obj in made for name, text in obj["data"].items()} == {
        f"aim-gpu-{name}": text for name, text in dashboards().items()
    }
    assert {(obj["metadata"]["namespace"], obj["metadata"]["labels"]["grafana_dashboard"]) for obj in made} == {
        ("grafana", "1")
    }


@pytest.mark.parametrize("everything", [True, False])
def test_a_release_fits_into_the_secret_that_helm_keeps_it_in(helm: Helm, everything: bool) -> None:
    on = {"enabled": everything}
    monitoring = {"serviceMonitor": on, "prometheusRule": on, "dashboards": on}
    manifest = helm.render({"gateway": on, "exporter": on, "monitoring": monitoring})
    # as Helm does: the chart's files in base64 beside the manifest, in JSON, compressed, and all that in base64
    files = {str(path.relative_to(CHART)): _base64(path) for path in CHART.rglob("*") if path.is_file()}
    release = json.dumps({"chart": files, "manifest": manifest}).encode()
    assert len(base64.b64encode(gzip.compress(release, 9))) < RELEASE_BYTES * 0.7, "leave room for values and notes"


def _base64(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()
