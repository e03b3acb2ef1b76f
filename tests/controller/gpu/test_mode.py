import pytest

from controller.gpu.mode import ComputeMode, MemoryMode, Mode, ModeError


@pytest.mark.parametrize("compute", ComputeMode)
@pytest.mark.parametrize("memory", MemoryMode)
def test_both_spellings_read_back(compute: ComputeMode, memory: MemoryMode) -> None:
    mode = Mode(compute, memory)
    assert Mode.parse(str(mode)) == mode
    assert Mode.from_profile(mode.profile) == mode


def test_spellings_are_ours_and_amds() -> None:
    mode = Mode(ComputeMode.CPX, MemoryMode.NPS4)
    assert (str(mode), mode.profile) == ("CPX/NPS4", "cpx_nps4")


@pytest.mark.parametrize(
    "text", ["", "CPX", "CPX/", "/NPS1", "cpx/nps4", "CPX/NPS8", "CPX-NPS4", "CPX/NPS4/", " CPX/NPS4"]
)
def test_other_texts_are_refused_with_value_and_remedy(text: str) -> None:
    with pytest.raises(ModeError) as refusal:
        Mode.parse(text)
    assert repr(text) in str(refusal.value)
    assert "CPX/NPS4" in str(refusal.value)


@pytest.mark.parametrize("text", ["CPX_NPS4", "cpx/nps4", "cpx", "cpx_nps8"])
def test_other_profiles_are_refused(text: str) -> None:
    with pytest.raises(ModeError, match="such as cpx_nps4"):
        Mode.from_profile(text)


def test_ranges_are_the_number_in_the_name() -> None:
    assert [memory.ranges for memory in MemoryMode] == [1, 2, 4]
