from api.v1beta1.sizing_parts import SizingUncertainty
from controller.sizing.catalog import Catalog
from controller.sizing.requirement import ModelSizingConfig
from controller.translate.sizing_status import uncertainty_of


def test_both_ends_of_the_uncertainty_are_shown() -> None:
    sizing = ModelSizingConfig(Catalog.bundled()).get_model_size("Qwen/Qwen3-4B")
    shown = uncertainty_of(sizing)
    assert isinstance(shown, SizingUncertainty)
    assert (shown.low_bytes, shown.high_bytes) == (sizing.uncertainty.low_bytes, sizing.uncertainty.high_bytes)
