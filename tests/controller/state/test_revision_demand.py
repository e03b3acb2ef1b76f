from collections.abc import Mapping

import pytest

from controller.placement.demand import Demand
from controller.sizing.catalog import Catalog
from controller.state.models import Models
from controller.state.revision_demand import Template, demand_of
from tests.builders.pod import container

ASKED = {"aim.amd.com/gpu-sharing": "true", "aim.amd.com/model-id": "Qwen/Qwen3-4B"}
APART = {
    "podAntiAffinity": {
        "requiredDuringSchedulingIgnoredDuringExecution": [
            {"topologyKey": "kubernetes.io/hostname", "labelSelector": {"matchLabels": {"app": "chat"}}}
        ]
    }
}


@pytest.mark.parametrize(
    ("labels", "want"),
    [
        pytest.param({"app": "chat"}, True, id="what they require is judged for the next revision, too"),
        pytest.param(None, False, id="not where nobody told their labels"),
    ],
)
def test_what_new_pods_require_of_other_pods(labels: Mapping[str, str] | None, want: bool) -> None:
    template = Template("team-a/chat", ASKED, {"containers": [container()], "affinity": APART}, labels=labels)
    found = demand_of(template, Models(Catalog.bundled()))
    assert isinstance(found, Demand)
    assert (found.rules is not None and bool(found.rules.repels)) is want
