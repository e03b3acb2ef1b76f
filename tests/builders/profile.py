"""What is served, for tests of AIM profiles."""

from typing import Any

from controller.profiles.lists import LISTS, wanted
from controller.profiles.selection import Service
from controller.sizing.catalog import Catalog
from controller.sizing.precision import Precision
from controller.sizing.requirement import ModelSizingConfig, SizingRequest

CATALOG = Catalog.bundled()
SIZES = ModelSizingConfig(CATALOG)
LISTED = sorted({one.listed.id for name in LISTS for one in wanted(name) if one.listed.id} & set(CATALOG.known_ids()))
"""The ids of both lists whose facts are known."""
LLAMA = "meta-llama/Llama-3.1-8B-Instruct"


def service(model_id: str = LLAMA, precision: str = "fp16", **fields: Any) -> Service:
    """A service of that model; `max_model_len` and `max_concurrency` go to its request."""
    asked = {name: fields.pop(name) for name in ("max_model_len", "max_concurrency") if name in fields}
    return Service(SizingRequest(model_id, Precision(precision), **asked), **fields)
