"""What goes around the manifests names files that are there, and says the same thing everywhere."""

import re

import yaml

from olm.files import files
from olm.packaging import ANNOTATIONS

FILES = files()
BUNDLE = "bundle/"


def test_the_image_has_the_annotations_as_labels() -> None:
    labels = dict(re.findall(r"^LABEL ([^=]+)=(.+)$", FILES["bundle.Dockerfile"], re.MULTILINE))
    assert labels == ANNOTATIONS
    assert yaml.safe_load(FILES["bundle/metadata/annotations.yaml"]) == {"annotations": ANNOTATIONS}


def test_the_image_holds_every_file_of_the_bundle_where_the_annotations_say() -> None:
    copied = re.findall(r"^COPY (\S+) /(\S+)$", FILES["bundle.Dockerfile"], re.MULTILINE)
    held = {name for name in FILES if name.startswith(BUNDLE)}
    assert {name for name in held if any(name.startswith(f"{source}/") for source, _ in copied)} == held
    folders = {value for value in ANNOTATIONS.values() if value.endswith("/")}
    assert {target for _, target in copied} == folders


def test_scorecard_finds_its_configuration_and_runs_each_test_once() -> None:
    folder = ANNOTATIONS["operators.operatorframework.io.test.config.v1"]
    config = yaml.safe_load(FILES[f"{BUNDLE}{folder}config.yaml"])
    (stage,) = config["stages"]
    run = [test["entrypoint"][-1] for test in stage["tests"]]
    assert len(run) == len(set(run)) == 6
    assert {test["image"].rsplit(":", 1)[-1] for test in stage["tests"]} == {"v1.42.0"}


def test_the_communitys_catalogue_is_told_where_upgrades_come_from_and_who_reviews() -> None:
    told = yaml.safe_load(FILES["ci.yaml"])
    assert told["updateGraph"] == "replaces-mode"  # as olm/catalogue.py draws it
    assert told["reviewers"]
