"""``aim-gpu crds`` prints what ``kubectl apply`` takes."""

import pytest
import yaml

from api.openapi import crd
from controller.cli.crds import crds


def test_prints_all_definitions_as_documents(capsys: pytest.CaptureFixture[str]) -> None:
    crds()
    assert list(yaml.safe_load_all(capsys.readouterr().out)) == crd.crds()
