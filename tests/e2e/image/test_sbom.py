"""The list of an image's parts: what is in it, that CycloneDX knows it, and that nothing is left out."""

import json
from pathlib import Path
from typing import Any

import pytest

from e2e.audit.shipped import export, shipped
from e2e.image import BuiltImage, ImageError
from e2e.image.__main__ import main
from e2e.image.build import ROOT
from e2e.image.contents import contents
from e2e.image.parts import Part, parts, unlisted, wanted
from e2e.image.reading import image_archive
from e2e.image.sbom import invalid, left_out, sbom
from tests.e2e.image.small_image import FILES, LOCK, PACKAGES, saved

KMOD = "pkg:deb/debian/kmod@30%2B20221128-1?arch=amd64&distro=debian-12&upstream=kmod-source"


def listed(archive: Path) -> dict[str, Any]:
    return {one["name"]: one for one in json.loads(sbom(archive, LOCK))["components"]}


def found(archive: Path) -> tuple[tuple[Part, ...], list[str]]:
    """Parts of an image, and what belongs to none of them."""
    with image_archive(archive) as image:
        seen = contents(image, wanted)
    return parts(seen), unlisted(seen, parts(seen))


def test_packages_and_distributions_are_listed_with_versions_licences_and_purls(tmp_path: Path) -> None:
    components = listed(saved(tmp_path / "image.tar"))
    assert components.keys() == {"debian", "kmod", "libc6", "flask", "aim-gpu-sharing"}
    kmod, flask = components["kmod"], components["flask"]
    assert (kmod["version"], kmod["purl"]) == ("30+20221128-1", KMOD)
    assert kmod["licenses"] == [{"license": {"id": "GPL-2.0-or-later"}}, {"license": {"id": "MIT"}}]
    assert "licenses" not in components["libc6"]
    assert (flask["version"], flask["purl"]) == ("3.0", "pkg:pypi/flask@3.0")
    assert flask["licenses"] == [{"expression": "BSD-3-Clause AND MIT"}]
    (wheel,) = flask["externalReferences"]
    assert (wheel["url"], wheel["hashes"][0]["content"]) == (
        "https://example.com/flask-3.0-py2.py3-none-any.whl",
        "ab" * 32,
    )


def test_the_same_image_gives_the_same_list_and_another_one_another_number(tmp_path: Path) -> None:
    first = sbom(saved(tmp_path / "1.tar"), LOCK)
    assert sbom(saved(tmp_path / "2.tar"), LOCK) == first
    other = sbom(saved(tmp_path / "3.tar", FILES, {"etc/x": ""}), LOCK)
    assert json.loads(other)["serialNumber"] != json.loads(first)["serialNumber"]


def test_the_schema_would_tell_of_a_document_that_does_not_fit(tmp_path: Path) -> None:
    document = json.loads(sbom(saved(tmp_path / "image.tar"), LOCK))
    assert invalid(json.dumps(document)) == []
    document["components"][0]["purls"] = "none"
    assert "does not fit CycloneDX 1.6" in invalid(json.dumps(document))[0]


def test_every_file_belongs_to_a_part(tmp_path: Path) -> None:
    assert found(saved(tmp_path / "image.tar"))[1] == []


@pytest.mark.parametrize("left", ["kmod", "libc6", "flask"])
def test_a_part_that_is_left_out_is_noticed_by_its_files(left: str, tmp_path: Path) -> None:
    with image_archive(saved(tmp_path / "image.tar")) as image:
        seen = contents(image, wanted)
    files = unlisted(seen, tuple(part for part in parts(seen) if part.name != left))
    assert files
    assert {"kmod": "usr/bin/kmod", "libc6": "usr/lib/libc.so.6", "flask": f"{PACKAGES}/flask/__init__.py"}[
        left
    ] in files
    assert files[0] in left_out(files)[0]


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("usr/bin/tool", ""),
        ("lib/libtool.so", ""),
        ("opt/tool/run", ""),
        ("app/run", ""),
        ("bin/activate", ""),
        (f"{PACKAGES}/vendored/__init__.py", ""),
        (f"{PACKAGES}/flask/__pycache__/other.cpython-311.pyc", ""),
    ],
    ids=[
        "a program",
        "a library",
        "another folder",
        "a folder of its own",
        "a name of the virtual environment elsewhere",
        "a module without metadata",
        "bytecode without a source",
    ],
)
def test_a_file_of_no_part_is_refused(path: str, content: str, tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=f"leaves out what these files are of: {path}"):
        sbom(saved(tmp_path / "image.tar", FILES, {path: content}), LOCK)


def test_a_package_that_dpkg_forgot_is_refused(tmp_path: Path) -> None:
    status = "\n\n".join(FILES["var/lib/dpkg/status"].split("\n\n")[1:])
    with pytest.raises(ImageError, match="usr/bin/kmod"):
        sbom(saved(tmp_path / "image.tar", {**FILES, "var/lib/dpkg/status": status}), LOCK)


@pytest.mark.parametrize(
    ("upper", "gone"),
    [
        (
            {f"{PACKAGES}/.wh.flask": "", f"{PACKAGES}/.wh.flask-3.0.dist-info": "", "opt/aim-gpu/bin/.wh.flask": ""},
            "flask",
        ),
        (
            {
                "var/lib/dpkg/status": FILES["var/lib/dpkg/status"].replace("Package: kmod\n", ""),
                "usr/bin/.wh.kmod": "",
            },
            "kmod",
        ),
    ],
    ids=["removed", "changed"],
)
def test_what_a_later_layer_took_away_is_not_listed(upper: dict[str, str], gone: str, tmp_path: Path) -> None:
    if gone == "kmod":
        upper = {**upper, "usr/share/doc/.wh.kmod": ""}
    assert gone not in listed(saved(tmp_path / "image.tar", FILES, upper))


@pytest.mark.parametrize(
    ("without", "want"),
    [
        ("var/lib/dpkg/status", "its Debian packages are not known"),
        (f"{PACKAGES}/aim_gpu_sharing-0.2.0.dist-info/METADATA", "is no distribution of the image"),
    ],
    ids=["no list of packages", "not ours"],
)
def test_an_image_that_tells_nothing_is_refused(without: str, want: str, tmp_path: Path) -> None:
    files = {path: text for path, text in FILES.items() if path != without}
    with pytest.raises(ImageError, match=want):
        sbom(saved(tmp_path / "image.tar", files), LOCK)


def test_the_command_writes_the_list_whole_or_not_at_all(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "sbom.json"
    bad = saved(tmp_path / "bad.tar", FILES, {"usr/bin/tool": ""})
    assert main(["sbom", "--archive", str(bad), "--out", str(out)]) == 1
    assert "error: the list of parts leaves out" in capsys.readouterr().err
    assert not out.exists()
    assert main(["sbom", "--archive", str(saved(tmp_path / "image.tar")), "--out", str(out)]) == 0
    assert invalid(out.read_text(encoding="utf-8")) == []
    with pytest.raises(SystemExit):
        main(["sbom"])


@pytest.mark.needs_debian
@pytest.mark.timeout(600)
def test_our_image_is_listed_as_it_is_locked(our_image: BuiltImage) -> None:
    document = sbom(our_image.archive, (ROOT / "uv.lock").read_text(encoding="utf-8"))
    components = json.loads(document)["components"]
    uv = ROOT / "build/uv/bin/uv"
    locked = {
        one.name: str(one.specifier).removeprefix("==")
        for one in shipped(export(uv if uv.exists() else Path("uv"), ROOT))
    }
    python = {one["name"]: one for one in components if one.get("purl", "").startswith("pkg:pypi/")}
    assert {name: one["version"] for name, one in python.items() if name != "aim-gpu-sharing"} == locked
    assert [name for name, one in python.items() if "externalReferences" not in one] == ["aim-gpu-sharing"]
    assert {"kmod", "libc6", "python3", "libdrm-amdgpu1"} <= {one["name"] for one in components}
    assert len(components) > 150
