"""That the sentence of what would help is found in what the operator really writes."""

import pytest

from controller.ui.claim_row import nearest
from tests.builders.gpu import gpu
from tests.controller.cli.explain_scenes import asks, cluster_of, of_claim


async def test_the_nearest_change_is_read_from_the_operators_own_lines() -> None:
    fed = cluster_of(gpu(0, "CPX/NPS1"), validatedOnly=False, repartition={"enabled": True})
    (told,) = (await of_claim(fed, asks(fed, "aim-waits", memory="60Gi")))["claims"]
    found = nearest(told["lines"])
    assert found is not None
    assert told["explanation"]["changes"][0]["text"] in found


@pytest.mark.parametrize(
    "lines",
    [
        pytest.param([], id="nothing was written"),
        pytest.param(["TooLarge: x", "Nearest change: none; no single change would place it"], id="no single change"),
    ],
)
def test_nothing_is_nearest(lines: list[str]) -> None:
    assert nearest(lines) is None
