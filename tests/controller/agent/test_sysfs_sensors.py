"""A GPU's hardware monitor: files as the kernel writes them (amdgpu_pm.c)."""

from pathlib import Path

import pytest

from controller.agent.sysfs_sensors import power_watts, temperatures

MI300X = {
    "name": "amdgpu",
    "temp2_label": "junction",
    "temp2_input": "61000",
    "temp3_label": "mem",
    "temp3_input": "55500",
    "power1_label": "PPT",
    "power1_input": "412000000",
    "power1_cap": "750000000",
}
MI210 = {
    "name": "amdgpu",
    "temp1_label": "edge",
    "temp1_input": "40000",
    "temp2_label": "junction",
    "temp2_input": "47000",
    "temp3_label": "mem",
    "temp3_input": "50000",
    "power1_average": "42000000",
}


def device(root: Path, files: dict[str, str], number: int = 5) -> Path:
    folder = root / "hwmon" / f"hwmon{number}"
    folder.mkdir(parents=True)
    for name, text in files.items():
        (folder / name).write_text(f"{text}\n")
    return root


@pytest.mark.parametrize(
    ("files", "want_degrees", "want_watts"),
    [
        pytest.param(MI300X, {"hotspot": 61.0, "memory": 55.5}, 412.0, id="what is drawn now, no edge"),
        pytest.param(MI210, {"edge": 40.0, "hotspot": 47.0, "memory": 50.0}, 42.0, id="an average, and an edge"),
        pytest.param(MI300X | {"power1_average": "1000000"}, {"hotspot": 61.0, "memory": 55.5}, 412.0, id="both"),
        pytest.param({"name": "amdgpu"}, {}, None, id="a monitor without sensors"),
        pytest.param({"temp2_label": "junction"}, {}, None, id="a sensor without a figure"),
        pytest.param({"temp2_label": "junction", "temp2_input": "N/A"}, {}, None, id="a figure that is none"),
        pytest.param({"temp9_label": "vrsoc", "temp9_input": "50000"}, {}, None, id="a sensor that is not told"),
        pytest.param({"temp2_input": "50000"}, {}, None, id="a sensor without a label"),
    ],
)
def test_sensors_are_known_by_their_labels(
    tmp_path: Path, files: dict[str, str], want_degrees: dict[str, float], want_watts: float | None
) -> None:
    told = device(tmp_path, files)
    assert (temperatures(told), power_watts(told)) == (want_degrees, want_watts)


def test_a_device_without_a_monitor_tells_nothing(tmp_path: Path) -> None:
    assert (temperatures(tmp_path), power_watts(tmp_path)) == ({}, None)


def test_a_monitor_that_refuses_now_tells_nothing(tmp_path: Path) -> None:
    told = device(tmp_path, MI300X)
    for name in ("temp2_input", "power1_input"):
        file = told / "hwmon/hwmon5" / name
        file.unlink()
        file.mkdir()  # what root cannot read either
    assert (temperatures(told), power_watts(told)) == ({"memory": 55.5}, None)
