"""Numeric precisions of a model's weights."""

from enum import StrEnum


class Precision(StrEnum):
    """What a user asks for.

    ``auto`` is what an engine takes when it is told none: the published precision, in 16 bit where that is fp32.
    """

    AUTO = "auto"
    FP32 = "fp32"
    BF16 = "bf16"
    FP16 = "fp16"
    FP8 = "fp8"
    INT8 = "int8"
    INT4 = "int4"
    MXFP4 = "mxfp4"
    NVFP4 = "nvfp4"


class ResolvedPrecision(StrEnum):
    """What sizing arrived at: any of those that can be asked for, but never ``auto``."""

    FP32 = "fp32"
    BF16 = "bf16"
    FP16 = "fp16"
    FP8 = "fp8"
    INT8 = "int8"
    INT4 = "int4"
    MXFP4 = "mxfp4"
    NVFP4 = "nvfp4"
