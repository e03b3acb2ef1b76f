"""Numeric precisions of a model's weights."""

from enum import StrEnum


class Precision(StrEnum):
    """What a user asks for; ``auto`` takes the precision in which the model is published."""

    AUTO = "auto"
    BF16 = "bf16"
    FP16 = "fp16"
    FP8 = "fp8"
    INT8 = "int8"
    INT4 = "int4"


class ResolvedPrecision(StrEnum):
    """What sizing arrived at; wider than what can be asked for, since models are published in more forms."""

    FP32 = "fp32"
    BF16 = "bf16"
    FP16 = "fp16"
    FP8 = "fp8"
    INT8 = "int8"
    INT4 = "int4"
    MXFP4 = "mxfp4"
