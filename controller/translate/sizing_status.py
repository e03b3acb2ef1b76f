"""How far a sizing may be off, as the statuses of services and ModelProfiles show it."""

from api.v1beta1.sizing_parts import SizingUncertainty
from controller.sizing.requirement import Sizing


def uncertainty_of(sizing: Sizing) -> SizingUncertainty:
    """Between which bytes the need may lie."""
    return SizingUncertainty(low_bytes=sizing.uncertainty.low_bytes, high_bytes=sizing.uncertainty.high_bytes)
