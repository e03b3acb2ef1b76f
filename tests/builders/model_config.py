"""A model's config.json as its publisher wrote it, less what no sizing reads; and with fields changed."""

import json
from pathlib import Path
from typing import Any

from controller.sizing.facts import ModelFacts
from controller.sizing.hugging_face_config import facts_of_config

CONFIGS = Path(__file__).parents[1] / "data" / "model_configs"


def config_text(name: str, **changed: Any) -> bytes:
    """The text of `tests/data/model_configs/NAME.json` with outer fields changed; `...` leaves one out."""
    fields = json.loads((CONFIGS / f"{name}.json").read_bytes()) | changed
    return json.dumps({key: value for key, value in fields.items() if value is not ...}).encode()


def text_of(name: str, **changed: Any) -> dict[str, Any]:
    """The fields of that configuration's ``text_config``, with some changed."""
    fields: dict[str, Any] = json.loads((CONFIGS / f"{name}.json").read_bytes())["text_config"]
    return fields | changed


def facts_of(name: str, **changed: Any) -> ModelFacts:
    """The facts of that configuration."""
    return facts_of_config(config_text(name, **changed), "config.json", f"some/{name}")
