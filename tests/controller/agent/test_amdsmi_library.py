import ctypes
import sys
from types import SimpleNamespace
from unittest import mock

import pytest

from controller.agent.amdsmi_backend import AmdsmiBackend, open_amdsmi
from controller.agent.amdsmi_library import AmdsmiUnavailable, load_amdsmi


@pytest.fixture(autouse=True)
def _no_package_left() -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "amdsmi"]:
        del sys.modules[name]


class Unbound:
    """A library without any of the functions that the package binds."""


@pytest.mark.parametrize(
    ("library", "want"),
    [
        pytest.param(
            {"side_effect": OSError("libamd_smi.so: cannot open shared object file")},
            r"\(libamd_smi.so: cannot open shared object file\): install ROCm's amd-smi-lib",
            id="no library",
        ),
        pytest.param(
            {"return_value": Unbound()}, "of another version than the Python package", id="mismatched library"
        ),
    ],
)
def test_a_library_that_cannot_be_loaded_names_its_remedy(
    library: dict[str, object], want: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with mock.patch.object(ctypes, "CDLL", **library), pytest.raises(AmdsmiUnavailable, match=want):  # type: ignore[call-overload]
        open_amdsmi()
    assert capsys.readouterr().out == ""


def test_a_package_that_is_not_there_names_its_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "amdsmi", None)
    with pytest.raises(AmdsmiUnavailable, match="install the Python package amdsmi"):
        load_amdsmi()


def test_a_failed_import_can_be_repeated() -> None:
    with mock.patch.object(ctypes, "CDLL", side_effect=OSError("not yet")), pytest.raises(AmdsmiUnavailable):
        load_amdsmi()
    with mock.patch.object(ctypes, "CDLL", return_value=mock.MagicMock()):
        assert load_amdsmi().AmdSmiInitFlags.INIT_AMD_GPUS == 2


@pytest.mark.parametrize("error", [ImportError, OSError, KeyError, AttributeError])
async def test_a_release_that_loads_with_the_first_call_fails_the_same_way(error: type[Exception]) -> None:
    def fail(*_: object) -> None:
        raise error("libamd_smi_python.so")

    later = SimpleNamespace(
        amdsmi_init=fail, AmdSmiInitFlags=SimpleNamespace(INIT_AMD_GPUS=2), AmdSmiException=ZeroDivisionError
    )
    backend = AmdsmiBackend(later)
    with pytest.raises(AmdsmiUnavailable, match="libamd_smi_python"):
        await backend.read()
    backend.close()
