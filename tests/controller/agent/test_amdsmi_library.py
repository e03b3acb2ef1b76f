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


DEFERRED = [ImportError, OSError, KeyError, AttributeError]


class Deferring:
    """A release that says what is wrong with its library with the first call that needs it."""

    AmdSmiException = ZeroDivisionError
    AmdSmiInitFlags = SimpleNamespace(INIT_AMD_GPUS=2)

    def __init__(self, error: Exception) -> None:
        self._error = error

    def amdsmi_get_lib_version(self) -> None:
        raise self._error

    def amdsmi_init(self, _flag: int) -> None:
        raise self._error


@pytest.mark.parametrize("error", DEFERRED)
def test_a_release_that_loads_with_the_first_call_fails_the_same_way(
    error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "amdsmi", Deferring(error("libamd_smi_python.so")))
    with pytest.raises(AmdsmiUnavailable, match="libamd_smi_python"):
        open_amdsmi()


@pytest.mark.parametrize("error", DEFERRED)
async def test_a_library_that_goes_away_later_is_named_as_well(error: type[Exception]) -> None:
    backend = AmdsmiBackend(Deferring(error("libamd_smi_python.so")))
    with pytest.raises(AmdsmiUnavailable, match="libamd_smi_python"):
        await backend.read()
    backend.close()


@pytest.mark.parametrize("error", [ZeroDivisionError("no version"), ValueError("NULL pointer access")])
def test_a_version_that_is_not_told_is_no_fault(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    package = Deferring(error)
    monkeypatch.setitem(sys.modules, "amdsmi", package)
    assert load_amdsmi() is package
