from tests.controller.agent.kubelet_messages import DEFINITION, FOLDER, ROOT, generated


def test_the_messages_are_what_the_definition_says() -> None:
    for name, text in generated().items():
        assert (ROOT / FOLDER / name).read_text() == text, "run python -m tests.controller.agent.kubelet_messages"


def test_the_definition_says_where_it_is_from() -> None:
    opening = (ROOT / DEFINITION).read_text()[:400]
    assert "k8s.io/kubelet v0.35.4" in opening
    assert "Apache License, Version 2.0" in opening
