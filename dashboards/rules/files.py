"""The rules as files that are loaded: one for Prometheus itself, one for the Prometheus operator."""

from typing import Any, Final

import yaml

from dashboards.rules.alerts import rules

PLAIN: Final = "aim-gpu-sharing.rules.yaml"
PROMETHEUS_RULE: Final = "prometheusrule.yaml"

_HEAD: Final = "# Written by `make generate` from dashboards/rules: change it there.\n"


def prometheus_rule() -> dict[str, Any]:
    """The object for the Prometheus operator. Which labels it selects such objects by differs between clusters."""
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {
            "name": "aim-gpu-sharing",
            "namespace": "aim-gpu-system",
            "labels": {"app.kubernetes.io/name": "aim-gpu-sharing", "app.kubernetes.io/component": "alerts"},
        },
        "spec": rules(),
    }


def files() -> dict[str, str]:
    """Name and content of each file."""
    return {PLAIN: text(rules()), PROMETHEUS_RULE: text(prometheus_rule())}


def text(content: dict[str, Any]) -> str:
    """As it is written into a file: each expression and description in one line, where `grep` finds it."""
    return _HEAD + yaml.safe_dump(content, sort_keys=False, width=10_000, allow_unicode=True)
