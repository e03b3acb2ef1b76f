from tests.architecture.source import files, module

LONGEST_FILE = 600


def test_no_file_is_too_long_to_read() -> None:
    found = files("api", "controller", "e2e", "tests")
    lines = {module(path): path.read_text().count("\n") for path in found}
    assert len(lines) > 200
    assert {name: count for name, count in lines.items() if count > LONGEST_FILE} == {}
