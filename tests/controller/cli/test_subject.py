import pytest

from controller.cli.subject import BadSubject, parse_subject

ROWS = [
    pytest.param("claim/aim-a", "claim team-a/aim-a", id="a claim"),
    pytest.param("gpc/aim-a", "claim team-a/aim-a", id="by its short name"),
    pytest.param("POD/x", "pod team-a/x", id="however it is written"),
    pytest.param("aimisvc/chat", "inferenceservice team-a/chat", id="ours"),
    pytest.param("isvc/chat", "inferenceservice.serving.kserve.io team-a/chat", id="KServe's, as in kubectl"),
    pytest.param("gpun/worker-0", "node worker-0", id="a node, which is in no namespace"),
]


@pytest.mark.parametrize(("text", "want"), ROWS)
def test_an_object_is_named_as_in_kubectl(text: str, want: str) -> None:
    assert str(parse_subject(text, "team-a")) == want


@pytest.mark.parametrize("text", ["pod", "pod/", "pod/a/b", "deployment/x"])
def test_what_names_no_object_is_refused_with_what_to_write(text: str) -> None:
    with pytest.raises(BadSubject, match=r"write KIND/NAME|use one of claim, pod"):
        parse_subject(text, "team-a")
