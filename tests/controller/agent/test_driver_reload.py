from types import SimpleNamespace
from typing import Any

import pytest

from controller.agent.backend import BackendError, NotPermitted, RestartFailed
from controller.agent.driver_reload import DriverReload
from controller.agent.modprobe import Outcome


class SmiError(Exception):
    def __init__(self, err_code: int) -> None:
        super().__init__(err_code)
        self.err_code = err_code


class Package:
    """A release of the package: `failing` are statuses by call. `calls` lists what was called."""

    AmdSmiException = SmiError
    AmdSmiInitFlags = SimpleNamespace(INIT_AMD_GPUS=2)

    def __init__(self, **failing: int) -> None:
        self.failing = failing
        self.calls: list[str] = []

    def amdsmi_init(self, _flag: int) -> None:
        self._call("init")

    def amdsmi_shut_down(self) -> None:
        self._call("shut_down")

    def _call(self, name: str) -> None:
        self.calls.append(name)
        if name in self.failing:
            raise SmiError(self.failing[name])


class WithReload(Package):
    def amdsmi_gpu_driver_reload(self) -> None:
        self._call("reload")


class Modprobe:
    def __init__(self) -> None:
        self.runs = 0

    def run(self, arguments: tuple[str, ...]) -> Outcome:
        self.runs += 1
        return Outcome(0, "")


def reloaded(package: Any) -> int:
    """Reload; how often modprobe ran."""
    modprobe = Modprobe()
    DriverReload(package, modprobe).run()
    return modprobe.runs


@pytest.mark.parametrize(
    ("package", "want_calls", "want_runs"),
    [
        pytest.param(WithReload(), ["init", "reload", "shut_down"], 0, id="the library reloads"),
        pytest.param(Package(), [], 2, id="ROCm 10 has no such call"),
        pytest.param(WithReload(reload=2), ["init", "reload", "shut_down"], 2, id="this device does not support it"),
        pytest.param(WithReload(init=34), ["init"], 2, id="no driver is loaded"),
        pytest.param(
            WithReload(shut_down=32), ["init", "reload", "shut_down"], 0, id="what it says on leaving means nothing"
        ),
    ],
)
def test_who_reloads(package: Package, want_calls: list[str], want_runs: int) -> None:
    assert reloaded(package) == want_runs
    assert package.calls == want_calls


@pytest.mark.parametrize(("status", "error"), [(54, RestartFailed), (10, NotPermitted)])
def test_a_reload_that_the_library_refused_is_not_tried_by_force(status: int, error: type[BackendError]) -> None:
    modprobe = Modprobe()
    with pytest.raises(error):
        DriverReload(WithReload(reload=status), modprobe).run()
    assert modprobe.runs == 0
