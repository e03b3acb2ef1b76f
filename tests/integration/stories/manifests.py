"""Every manifest, and every piece of one, that stands on a page or among the examples."""

import json
import re
from typing import Any

import yaml

from e2e.plane import Plane
from tests.docs.blocks import ROOT, blocks, manifests, pages
from tests.docs.fragments import whole

Object = dict[str, Any]
FOREIGN = ("serving.kserve.io",)
"""Groups whose kinds this plane has not; the story with KServe applies them on one that has."""


def of_pages() -> list[tuple[str, Object]]:
    """Objects of pages, with where they stand."""
    found: list[tuple[str, Object]] = []
    for page in pages():
        for block in blocks(page):
            if block.language != "yaml" or block.page == "docs/api-reference.md":
                continue
            objects = manifests(block) or [
                made
                for piece in yaml.safe_load_all(block.text)
                if isinstance(piece, dict) and (made := whole(block, piece)) is not None
            ]
            found += [(str(block), dict(one)) for one in objects]
    return found


def of_examples() -> list[tuple[str, Object]]:
    """Objects of the examples' files."""
    return [
        (f"{path.relative_to(ROOT)} {number}", document)
        for path in sorted((ROOT / "examples").rglob("*.yaml"))
        for number, document in enumerate(yaml.safe_load_all(path.read_text(encoding="utf-8")), 1)
        if "apiVersion" in document
    ]


ALL = [*of_pages(), *of_examples()]


def create_dry(plane: Plane, obj: Object) -> tuple[int, str]:
    """Status and message of a creation that is not kept, and in which no field may be unknown."""
    metadata = {name: value for name, value in obj["metadata"].items() if name != "namespace"}
    obj = {**obj, "metadata": {**metadata, "name": f"{metadata['name']}-dry"}}  # which nobody else has
    collection = plane.admin.path_of(obj).rpartition("/")[0]
    if re.search(r"/namespaces/[^/]+/", collection):
        obj["metadata"]["namespace"] = "default"
    status, body = plane.admin.raw("POST", f"{collection}?dryRun=All&fieldValidation=Strict", obj)
    return status, json.loads(body).get("message", "")
