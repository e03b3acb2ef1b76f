"""Prometheus' configuration, as plain data."""

from pathlib import Path

from e2e.prometheus.configuration import Target, configuration, target_groups


def test_metrics_are_read_as_a_cluster_would_have_them_read() -> None:
    made = configuration(Path("/x/targets.json"), Path("/x/token"), [Path("/x/a.yaml")], seconds=2)

    (job,) = made["scrape_configs"]
    assert (job["scheme"], job["authorization"]) == ("https", {"credentials_file": "/x/token"})
    assert job["honor_labels"], "our labels namespace and pod are of the model, not of whoever tells of it"
    assert job["file_sd_configs"] == [{"files": ["/x/targets.json"], "refresh_interval": "2s"}]
    assert made["rule_files"] == ["/x/a.yaml"]
    assert set(made["global"].values()) == {"2s"}


def test_a_target_has_the_cluster_only_where_somebody_adds_it() -> None:
    groups = target_groups(
        [Target("operator", "operator-0", "127.0.0.1:1"), Target("agent", "agents", "127.0.0.1:2", "west")]
    )

    assert groups == [
        {"targets": ["127.0.0.1:1"], "labels": {"job": "operator", "instance": "operator-0"}},
        {"targets": ["127.0.0.1:2"], "labels": {"job": "agent", "instance": "agents", "cluster": "west"}},
    ]
