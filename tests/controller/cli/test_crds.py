"""``aim-gpu crds`` prints what ``kubectl apply`` takes."""

import pytest

from api.openapi import crd
from controller.cli.crds import GENERATED, run


def test_prints_all_definitions_as_documents(capsys: pytest.CaptureFixture[str]) -> None:
    assert run([]) == 0
    assert capsys.readouterr().out == crd.together(), (
        f"run `make generate`: {GENERATED.name} is not what the models say"
    )


def test_takes_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        run(["gpunodes"])
    assert "gpunodes" in capsys.readouterr().err
