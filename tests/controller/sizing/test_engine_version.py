import pytest

from controller.sizing.engine_version import EngineVersion, Generation


@pytest.mark.parametrize(
    ("text", "generation", "want"),
    [
        pytest.param("0.19.0", "", EngineVersion((0, 19, 0)), id="a release"),
        pytest.param(
            "v0.13.0rc2.dev112+g763963aa7.d20251213", "V1", EngineVersion((0, 13, 0)), id="a build between releases"
        ),
        pytest.param("0.11 era", "", EngineVersion((0, 11)), id="dated from a thread"),
        pytest.param("0.9.x", "V0", EngineVersion((0, 9), Generation.V0), id="V0 where it is said"),
        pytest.param("0.7.x (older text)", "", EngineVersion((0, 7), Generation.V0), id="V0 by its age"),
        pytest.param("Aug 2024", "V0", EngineVersion(None, Generation.V0), id="a month is no release"),
        pytest.param("ROCm nightly (2026)", "V1", EngineVersion(), id="a nightly is the newest"),
        pytest.param(
            "0.31.1rc1.dev23+g43b4aaea3", "V1 (V2 model runner)", EngineVersion((0, 31, 1)), id="a runner's name"
        ),
        pytest.param("", "", EngineVersion(), id="nothing is the newest"),
    ],
)
def test_versions_are_read_as_people_write_them(text: str, generation: str, want: EngineVersion) -> None:
    assert EngineVersion.parse(text, generation) == want


def test_an_unknown_release_is_the_newest_of_its_generation() -> None:
    assert EngineVersion().since(0, 21)
    assert not EngineVersion(None, Generation.V0).since(0, 5)


def test_releases_compare_by_number() -> None:
    assert EngineVersion((0, 21)).since(0, 9)
    assert not EngineVersion((0, 9)).since(0, 21)
    assert EngineVersion((0, 17, 0)).since(0, 17)
    assert not EngineVersion((0, 8, 4)).since(0, 8, 5)
