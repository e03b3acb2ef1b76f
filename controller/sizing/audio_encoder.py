"""Elements of an encoder of sound and its projector, from the ``audio_config`` of a config.json: Gemma 4 E2B and E4B.

Tensor by tensor as ``Gemma4AudioModel`` has them (huggingface/transformers ``models/gemma4``), defaults those of its
configuration class. The bounds to which its layers clip are single numbers and not counted.
"""

from controller.sizing.config_fields import ConfigFields

_CHANNELS = (128, 32)
_KERNEL = 3 * 3


def audio_elements(config: ConfigFields, hidden: int) -> int:
    """The encoder of a model whose decoder is ``hidden`` wide; 0 without an ``audio_config``."""
    audio = config.section("audio_config")
    if audio is None:
        return 0
    width = audio.number("hidden_size", default=1024, most=65_536)
    layers = audio.number("num_hidden_layers", default=12, most=1000)
    output = audio.number("output_proj_dims", default=1536)
    # the way out has a bias
    return layers * _layer(audio, width) + _subsampling(audio, width) + (width + 1) * output + output * hidden


def _layer(audio: ConfigFields, width: int) -> int:
    """A conformer's: two MLPs around attention and a convolution, three norms."""
    heads = audio.number("num_attention_heads", default=8, most=65_536)
    mlp = 8 * width**2 + 2 * width
    attention = 5 * width**2 + width // heads
    convolution = 3 * width**2 + audio.number("conv_kernel_size", default=5, most=1024) * width + 2 * width
    return 2 * mlp + attention + convolution + 3 * width


def _subsampling(audio: ConfigFields, width: int) -> int:
    """Two convolutions with a norm each, and a projection of what they leave of the spectrum."""
    told = audio.numbers("subsampling_conv_channels")
    if told is not None and (len(told) != 2 or min(told) < 4 or max(told) > 65_536):
        raise audio.problem("subsampling_conv_channels", "is not two numbers of channels", "give two, as [128, 32]")
    first, second = told or _CHANNELS
    return _KERNEL * (first + first * second) + first + second + first // 4 * second * width
