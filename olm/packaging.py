"""What goes around the manifests: annotations, operator-sdk's tests, the image, and what keepers of catalogues read."""

from typing import Any, Final

from olm.sources import CHANNEL, PACKAGE

_BUNDLE: Final = "operators.operatorframework.io.bundle"
_TESTS: Final = "operators.operatorframework.io.test"
ANNOTATIONS: Final = {
    f"{_BUNDLE}.mediatype.v1": "registry+v1",
    f"{_BUNDLE}.manifests.v1": "manifests/",
    f"{_BUNDLE}.metadata.v1": "metadata/",
    f"{_BUNDLE}.package.v1": PACKAGE,
    f"{_BUNDLE}.channels.v1": CHANNEL,
    f"{_BUNDLE}.channel.default.v1": CHANNEL,
    f"{_TESTS}.mediatype.v1": "scorecard+v1",
    f"{_TESTS}.config.v1": "tests/scorecard/",
}
"""What a bundle says of itself, in a file and as labels of its image."""
_SCORECARD_IMAGE: Final = "quay.io/operator-framework/scorecard-test:v1.42.0"
_SCORECARD: Final = (
    ("basic-check-spec", "basic"),
    ("olm-bundle-validation", "olm"),
    ("olm-crds-have-validation", "olm"),
    ("olm-crds-have-resources", "olm"),
    ("olm-spec-descriptors", "olm"),
    ("olm-status-descriptors", "olm"),
)


def scorecard() -> dict[str, Any]:
    """The configuration of `operator-sdk scorecard`: all of its own tests."""
    tests = [
        {
            "entrypoint": ["scorecard-test", name],
            "image": _SCORECARD_IMAGE,
            "labels": {"suite": suite, "test": f"{name}-test"},
        }
        for name, suite in _SCORECARD
    ]
    return {
        "apiVersion": "scorecard.operatorframework.io/v1alpha3",
        "kind": "Configuration",
        "metadata": {"name": "config"},
        "stages": [{"parallel": True, "tests": tests}],
    }


def dockerfile() -> str:
    """The bundle's image: nothing but files and labels."""
    labels = "".join(f"LABEL {key}={value}\n" for key, value in ANNOTATIONS.items())
    folders = (("manifests", "manifests"), ("metadata", "metadata"), ("tests/scorecard", "tests/scorecard"))
    copies = "".join(f"COPY bundle/{source} /{target}/\n" for source, target in folders)
    return f"FROM scratch\n{labels}{copies}"


def catalogue_policy() -> dict[str, Any]:
    """ci.yaml of the community's catalogues: who reviews, and that a bundle names its predecessor itself."""
    return {"addReviewers": True, "reviewers": ["amd-enterprise-ai"], "updateGraph": "replaces-mode"}
