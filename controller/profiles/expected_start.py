"""What a start with the arguments of a profile would find on the partitions it is for, by the verdict of sizing."""

from dataclasses import replace

from controller.gpu.mode import Mode
from controller.gpu.product import Product
from controller.profiles.engine_arguments import Room, memory_utilization
from controller.sizing.budget import Start
from controller.sizing.engine import Device, as_vllm_starts_it, in_default_image
from controller.sizing.facts import ModelFacts
from controller.sizing.requirement import Sizing
from controller.sizing.verdict import Verdict, judge


def expected_start(facts: ModelFacts, sizing: Sizing, product: Product, mode: Mode) -> Verdict:
    """The verdict on one rank alone on a partition of a product, with our default image's engine where none is named.

    ``sizing`` is of that many ranks, with the settings that are started with (``engine_arguments.sizing_in``). Raises
    ModeError when the product has not got the mode, or no established memory.
    """
    device = Device.of(product, mode)
    utilization = memory_utilization(sizing, Room(device.total_bytes))
    asked = replace(in_default_image(sizing.engine), gpu_memory_utilization=utilization)
    return judge(
        Start(
            facts=facts,
            precision=sizing.precision,
            settings=as_vllm_starts_it(asked, device, sizing.max_model_len),
            device_bytes=device.total_bytes,
            max_model_len=sizing.max_model_len,
            tensor_parallel=sizing.tensor_parallel,
            gfx_version=product.gfx_version,
        )
    )
