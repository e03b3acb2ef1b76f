"""Our chart, rendered by the real Helm as users' own would: for tests, and for the manifest of those without Helm.

In: `charts/aim-gpu-sharing` and values. Out: the objects, or Helm's refusal. Helm is built once from its Go module, as
the programs of the local control plane are. `python -m e2e.chart --into charts/install` writes the manifests;
`e2e.chart.installed` reads them, without Helm.
"""

from e2e.chart.helm import CHART, NAMESPACE, ChartRefused, Helm
from e2e.chart.install_manifest import install_manifests

__all__ = ["CHART", "NAMESPACE", "ChartRefused", "Helm", "install_manifests"]
