"""What a person is told who tries the chart on a node of this machine."""

import yaml

from e2e.plane.node import BUSYBOX_IMAGE
from e2e.suite.local_plane import FIRST_MODEL, welcome


def test_four_commands_lead_to_a_model_whose_image_is_there() -> None:
    told = welcome("helm", "localhost/ours:dev", "real-1")
    commands = [line.strip().split()[0] for line in told.splitlines() if line.strip().startswith(("helm", "kubectl"))]
    assert commands == ["helm", "kubectl", "kubectl", "kubectl"]
    assert "image.repository=localhost/ours,image.tag=dev" in told
    assert str(FIRST_MODEL) in told
    (container,) = yaml.safe_load(FIRST_MODEL.read_text())["spec"]["predictor"]["containers"]
    assert container["image"] == BUSYBOX_IMAGE
