from pathlib import Path

import pytest

from tests.controller.agent.kubelet_messages import DEFINITIONS, FOLDER, ROOT, generated


def test_the_messages_are_what_the_definitions_say() -> None:
    for name, text in generated().items():
        assert (ROOT / FOLDER / name).read_text() == text, "run python -m tests.controller.agent.kubelet_messages"


@pytest.mark.parametrize("definition", DEFINITIONS, ids=lambda path: path.stem)
def test_a_definition_says_where_it_is_from(definition: Path) -> None:
    opening = (ROOT / definition).read_text()[:400]
    assert "k8s.io/kubelet v0.35.4" in opening
    assert "Apache License, Version 2.0" in opening
