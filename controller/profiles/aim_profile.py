"""One AIM profile: the YAML file by which an AIM container learns how to start its engine.

The format is that of aim-build 0.9 (``docs/aim_architecture.md``, section 3, and its ``schemas``), which later versions
still read: ``metadata`` says what the profile is for, ``engine_args`` are vLLM's options without their dashes (null: a
bare flag), ``env_vars`` are texts. A profile with ``aim_id`` and ``model_id`` decides which model is loaded; a
*general* one has neither and leaves that to the container.

Partitions are unknown to that format. Ours are *custom* profiles: their stem ends with the mode, and so does
``metadata.variant``, by which AIM after 0.11 knows that a file's name has such an ending (0.9 ignores the field).
"""

import json
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from controller.gpu.mode import Mode
from controller.sizing.precision import Precision

CUSTOM_DIRECTORY: Final = "/workspace/aim-runtime/profiles/custom"
"""Where AIM looks first, and recursively, for ``*.yaml``; before the model's own profiles and the general ones."""

MOST_DEVICES: Final = 8
"""The most that ``gpu_count`` may say."""

MODEL_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*/[A-Za-z0-9][A-Za-z0-9._-]*")
"""An id as ``aim_id`` and ``model_id`` have it: owner and name, which are folders, too."""

Argument = str | int | float | bool | None
"""An engine argument's value; None is a flag without one."""


class Metric(StrEnum):
    """What a profile is tuned for. AIM takes latency when nobody says."""

    LATENCY = "latency"
    THROUGHPUT = "throughput"


UNOPTIMIZED: Final = "unoptimized"
"""``metadata.type`` of all ours: calculated, never measured. AIM takes such a profile only when it is named."""

_PRECISION_NAMES: Final = {Precision.MXFP4: "fp4", Precision.NVFP4: "fp4"}


def precision_name(precision: Precision) -> str:
    """A precision as ``metadata.precision`` has it: AIM says fp4 there for mxfp4, and mxfp4 in the file's name."""
    return _PRECISION_NAMES.get(precision, precision.value)


@dataclass(frozen=True, slots=True)
class Target:
    """What a profile is for: ``count`` partitions of ``gpu`` (a product's name) in ``mode``, and a metric."""

    gpu: str
    mode: Mode
    count: int
    precision: Precision
    metric: Metric

    @property
    def stem(self) -> str:
        """The file's name without its ending: ``vllm-mi300x-fp16-tp1-latency-cpx-nps4``."""
        return f"vllm-{self.gpu.lower()}-{self.precision}-tp{self.count}-{self.metric}-{self.variant}"

    @property
    def variant(self) -> str:
        """The mode as a part of a name: ``cpx-nps4``."""
        return self.mode.scheme.lower()


@dataclass(frozen=True, slots=True)
class Model:
    """The model a profile names: the AIM it belongs to, and the checkpoint that is loaded.

    ``model_id`` None: the user must name one. AIM passes over the file until it has both ids
    (aim-build ``profile_registry.py``: outside a folder ``general`` a file without them is invalid and skipped).
    """

    aim_id: str
    model_id: str | None


@dataclass(frozen=True, slots=True)
class AIMProfile:
    """A custom profile; general if ``model`` is None. ``remarks`` become comments at the head of the file."""

    target: Target
    model: Model | None
    engine_args: tuple[tuple[str, Argument], ...]
    env_vars: tuple[tuple[str, str], ...] = ()
    remarks: tuple[str, ...] = ()

    @property
    def file_name(self) -> str:
        """The file's name, which is a valid key of a ConfigMap, too."""
        return f"{self.target.stem}.yaml"

    @property
    def path(self) -> str:
        """Where the file belongs under AIM's custom directory: ``<org>/<model>/<file>``, or ``general/<file>``."""
        folder = self.model.aim_id if self.model else "general"
        return f"{folder}/{self.file_name}"

    @property
    def profile_id(self) -> str:
        """What AIM_PROFILE_ID must say to choose it. The stem alone is the id of a built-in profile only."""
        folder = self.model.aim_id if self.model else "general"
        return f"custom/{folder}/{self.target.stem}"

    def to_yaml(self) -> str:
        """The file. Same profile, same bytes: keys of one section are sorted, or in the format's own order."""
        lines = [f"# {remark}" for remark in self.remarks]
        if self.model and self.model.model_id:
            lines += [f"aim_id: {_scalar(self.model.aim_id)}", f"model_id: {_scalar(self.model.model_id)}"]
        lines += _section("metadata", self._metadata())
        lines += _section("engine_args", sorted(self.engine_args))
        lines += _section("env_vars", sorted(self.env_vars))
        return "\n".join(lines) + "\n"

    def _metadata(self) -> list[tuple[str, Argument]]:
        target = self.target
        return [
            ("engine", "vllm"),
            ("gpu", target.gpu),
            ("precision", precision_name(target.precision)),
            ("gpu_count", target.count),
            ("metric", target.metric.value),
            # AIM sees the GPU's model and not its mode: left to itself it would take any of these on any slice
            ("manual_selection_only", True),
            ("type", UNOPTIMIZED),
            ("variant", target.variant),
        ]


def _section(name: str, items: list[tuple[str, Argument]] | list[tuple[str, str]]) -> list[str]:
    if not items:
        return [f"{name}: {{}}"]
    return [f"{name}:", *(f"  {key}: {_scalar(value)}" for key, value in items)]


_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_./-]*")
_WORDS = frozenset({"true", "false", "yes", "no", "on", "off", "null", "none", "y", "n"})


def _scalar(value: Argument) -> str:
    """A value in YAML. A text that could be read as something else is quoted, as JSON quotes it."""
    if isinstance(value, str) and _PLAIN.fullmatch(value) and value.lower() not in _WORDS:
        return value
    return json.dumps(value)
