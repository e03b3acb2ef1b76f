"""The chart's objects as manifests, for those who install by `kubectl apply`, for OLM's bundle and for local runs."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from e2e.chart.helm import NAMESPACE, Helm, loaded

INSTALL: Final = "install.yaml"
RELEASE: Final = "release.yaml"
"""The Job before an uninstall, with its rights: what Helm makes as a hook."""

_RELEASE_TEMPLATE: Final = "templates/uninstall.yaml"

# With kubectl there is no Helm that would delete a CRD, or that could be said to manage an object.
_VALUES: Final = {"crds": {"keep": False}}
_OF_HELM: Final = ("app.kubernetes.io/managed-by:", "helm.sh/chart:", "# Source: ")
_HOOK: Final = re.compile(r"^ +annotations:\n(?: +helm\.sh/.*\n)+", re.MULTILINE)
_KEPT_BY_HELM: Final = re.compile(r"^ +annotations:\n +helm\.sh/resource-policy: keep\n", re.MULTILINE)

_HEAD: Final = f"""\
# Generated from charts/aim-gpu-sharing with its default values by `python -m e2e.chart`. Do not edit.
#
# kubectl apply --server-side -f install.yaml, or install.sh beside it, which looks first whether a cluster fits.
# Agents mount folders of their host, which the levels baseline and restricted forbid. The operator keeps to restricted
# all the same.
apiVersion: v1
kind: Namespace
metadata:
  name: {NAMESPACE}
  labels:
    app.kubernetes.io/part-of: aim-gpu-sharing
    pod-security.kubernetes.io/enforce: privileged
"""
_HEAD_OF_ADDITION: Final = """\
# Generated from charts/aim-gpu-sharing by `python -m e2e.chart`. Do not edit.
#
# {says}
# kubectl apply --server-side -f {file}, after install.yaml.
"""
_HEAD_OF_RELEASE: Final = """\
# Generated from charts/aim-gpu-sharing with its default values by `python -m e2e.chart`. Do not edit.
#
# `aim-gpu release --all` as a Job, with rights of its own: install.sh --uninstall applies it before it deletes
# anything, waits for it, tells its log and deletes it. It needs the operator's namespace.
"""


@dataclass(frozen=True, slots=True)
class Addition:
    """What is applied after `install.yaml`: the objects that `values` add or change; `beside` is set in either case."""

    says: str
    values: Mapping[str, Any]
    beside: Mapping[str, Any] = field(default_factory=dict)


_GATEWAY: Final = {"gateway": {"enabled": True}}
ADDITIONS: Final[Mapping[str, Addition]] = {
    "gateway.yaml": Addition("The gateway. Its Secret aim-gpu-gateway-tls is to be made beside.", _GATEWAY),
    # as beside a gateway: while there is none, it tells of everything all the same
    "exporter.yaml": Addition("The exporter.", {"exporter": {"enabled": True}}, _GATEWAY),
    "ui.yaml": Addition("The live map. Its Secret aim-gpu-ui-tls is to be made beside.", {"ui": {"enabled": True}}),
    "agent-repartition.yaml": Addition("Agents that may change modes.", {"agent": {"mode": "repartition"}}),
    "agent-simulate.yaml": Addition("Agents that pretend GPUs.", {"agent": {"mode": "simulate"}}),
}


def install_manifests(helm: Helm) -> dict[str, str]:
    """The text of each file of `charts/install`, by name. Raises ChartRefused."""
    additions = {file: _addition(helm, file, addition) for file, addition in ADDITIONS.items()}
    return {INSTALL: _HEAD + _rendered(helm, {}), RELEASE: _HEAD_OF_RELEASE + _release(helm), **additions}


def _release(helm: Helm) -> str:
    """The hooks before an uninstall, as objects that anybody may apply."""
    rendered = _HOOK.sub("", helm.render(_VALUES, options=("--show-only", _RELEASE_TEMPLATE)))
    return "".join(line for line in rendered.splitlines(keepends=True) if not line.strip().startswith(_OF_HELM))


def _addition(helm: Helm, file: str, addition: Addition) -> str:
    without = loaded(_rendered(helm, addition.beside))
    whole = _rendered(helm, {**addition.beside, **addition.values})
    further = [document for document in _documents(whole) if loaded(document)[0] not in without]
    return _HEAD_OF_ADDITION.format(says=addition.says, file=file) + "".join(f"---\n{one}" for one in further)


def _rendered(helm: Helm, values: Mapping[str, Any]) -> str:
    """No hooks, no tests, and nothing that only Helm would know."""
    rendered = helm.render({**_VALUES, **values}, options=("--no-hooks", "--skip-tests"))
    kept = (line for line in rendered.splitlines() if not line.strip().startswith(_OF_HELM))
    return _KEPT_BY_HELM.sub("", "\n".join(kept) + "\n")


def _documents(text: str) -> Iterator[str]:
    """The text of each document that has an object."""
    return (one for one in re.split(r"^---\n", text, flags=re.MULTILINE) if loaded(one))
