"""The class that a config.json names in ``architectures``, against its ``model_type``.

Transformers goes by ``model_type``, vLLM by ``architectures`` (``model_executor/models/registry.py``): where the two
name different models, one of them would be sized and the other loaded.
"""

import re
from collections.abc import Mapping, Set
from typing import Final

from controller.sizing.config_fields import ConfigFields

_TASK: Final = re.compile(r"(ForCausalLM|ForConditionalGeneration|LMHeadModel|TextModel|Model)$")
"""How the names of classes end, whatever the model."""

_SAME_TENSORS: Final[Mapping[str, Set[str]]] = {
    "kimi_k2": {"deepseek_v3"},
    "kimi_k25": {"deepseek_v3", "kimi_k2"},
    "kimi_k3": {"kimi_linear"},
    "llama": {"mistral"},
    "mistral": {"llama"},
    "mistral3": {"mistral"},
}
"""Model types whose files are loaded by the class of another one, with the same tensors."""


def require_same_model(config: ConfigFields, names: Set[str], known: Set[str]) -> None:
    """Raises ModelFileError where ``architectures`` names a model of ``known`` that is none of ``names``.

    ``names``: the model types by which the configuration was understood. A class that is not known says nothing.
    """
    by_stem = {_plain(name): name for name in known}
    same = {*names, *(alike for name in names for alike in _SAME_TENSORS.get(name, ()))}
    for name in config.texts("architectures") or ():
        other = by_stem.get(_plain(_TASK.sub("", name)))
        if other is not None and other not in same:
            raise config.problem(
                "architectures",
                f"is a model of type {other}, and model_type says {config.text('model_type') or min(names)}",
                "correct the one that is wrong: an engine loads the class that architectures names",
            )


def _plain(name: str) -> str:
    return name.replace("_", "").lower()
