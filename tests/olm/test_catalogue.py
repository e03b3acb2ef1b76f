"""The graph of upgrades, and what the catalogue says of every bundle."""

import base64
import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml

from olm.catalogue import Bundle, catalogue, self_contained, template
from olm.files import bundle, files
from olm.released import RELEASES, WITHOUT_OLM, released
from olm.sources import CHANNEL

BUNDLE = bundle()


def at(version: str) -> Bundle:
    """The bundle as if it were of another version."""
    told = deepcopy(BUNDLE.service_version)
    told["metadata"]["name"] = f"aim-gpu-sharing.v{version}"
    told["spec"]["version"] = version
    return Bundle(told, BUNDLE.crds, BUNDLE.others)


def entries(shown: list[dict[str, Any]]) -> list[dict[str, str]]:
    (channel,) = [each for each in shown if each["schema"] == "olm.channel"]
    found: list[dict[str, str]] = channel["entries"]
    return found


def test_each_bundle_replaces_the_one_before_and_the_first_none() -> None:
    assert entries(catalogue([at("0.2.0"), at("0.9.0"), at("0.10.0")])) == [
        {"name": "aim-gpu-sharing.v0.2.0"},
        {"name": "aim-gpu-sharing.v0.9.0", "replaces": "aim-gpu-sharing.v0.2.0"},
        {"name": "aim-gpu-sharing.v0.10.0", "replaces": "aim-gpu-sharing.v0.9.0"},
    ]


@pytest.mark.parametrize("second", ["0.9.0", "0.10.0"], ids=["an older one", "the same again"])
def test_a_graph_that_would_lead_back_is_refused(second: str) -> None:
    with pytest.raises(ValueError, match=rf"v{second} does not come after .*v0\.10\.0: give bundles oldest first"):
        catalogue([at("0.10.0"), at(second)])


def test_the_default_channel_is_the_one_there_is() -> None:
    package, channel, *_ = catalogue([BUNDLE])
    assert (package["defaultChannel"], channel["name"]) == (CHANNEL, CHANNEL)


def test_a_bundle_offers_every_version_of_every_kind() -> None:
    offered = {
        (each["value"]["kind"], each["value"]["version"])
        for each in catalogue([BUNDLE])[-1]["properties"]
        if each["type"] == "olm.gvk"
    }
    served = {
        (crd["spec"]["names"]["kind"], version["name"])
        for crd in BUNDLE.crds
        for version in crd["spec"]["versions"]
        if version["served"]
    }
    assert len(served) == 8
    assert offered == served


def test_a_mirror_finds_every_image_that_a_cluster_pulls() -> None:
    deployments = BUNDLE.service_version["spec"]["install"]["spec"]["deployments"]
    pods = [each["spec"]["template"]["spec"] for each in deployments]
    run = {container["image"] for pod in pods for container in (*pod["containers"], *pod.get("initContainers", ()))}
    shown = catalogue([BUNDLE])[-1]
    assert {each["image"] for each in shown["relatedImages"]} == run | {shown["image"]}


def test_the_template_names_the_images_of_the_catalogues_bundles_in_its_graph() -> None:
    bundles = [at("0.2.0"), at("0.3.0")]
    ((whole,), shown) = template(bundles), catalogue(bundles)
    assert whole["entries"][:2] == shown[:2]
    assert [each["image"] for each in whole["entries"][2:]] == [each["image"] for each in shown[2:]]


def test_a_catalogue_without_images_holds_every_manifest() -> None:
    properties = self_contained([BUNDLE])[-1]["properties"]
    held = [each["value"]["data"] for each in properties if each["type"] == "olm.bundle.object"]
    objects = [json.loads(base64.b64decode(data)) for data in held]
    assert objects == [BUNDLE.service_version, *BUNDLE.crds, *BUNDLE.others]


def test_the_committed_graph_begins_where_the_first_bundle_does() -> None:
    shown = list(yaml.safe_load_all(files()["catalog/aim-gpu-sharing/catalog.yaml"]))
    kept = {path.name for path in RELEASES.iterdir() if path.is_dir()}
    assert kept >= WITHOUT_OLM
    graph = entries(shown)
    assert len(graph) == len(kept - WITHOUT_OLM) + 1
    assert "replaces" not in graph[0]


def keep(folder: Path, version: str, *texts: str) -> None:
    manifests = folder / version / "bundle" / "manifests"
    manifests.mkdir(parents=True)
    for number, text in enumerate(texts):
        (manifests / f"{number:02}.yaml").write_text(text)


def test_released_bundles_are_read_back_as_they_were_oldest_first(tmp_path: Path) -> None:
    for version in ("0.10.0", "0.9.0"):
        made = at(version)
        keep(tmp_path, version, *map(yaml.safe_dump, (made.service_version, *made.crds, *made.others)))
    (tmp_path / "0.1.0").mkdir()
    assert released(tmp_path) == [at("0.9.0"), at("0.10.0")]


def test_a_release_whose_bundle_was_not_kept_is_noticed(tmp_path: Path) -> None:
    keep(tmp_path, "0.3.0", yaml.safe_dump(BUNDLE.crds[0]))
    with pytest.raises(LookupError, match=r"0\.3\.0/bundle: 0 ClusterServiceVersions: keep olm/bundle"):
        released(tmp_path)
