"""Texts with a form are found by their patterns, with what is said of them."""

from api.openapi.named_texts import named_texts
from api.quantity import QUANTITY_PATTERN

TEXTS = {text.name: text for text in named_texts().values()}


def test_a_text_has_its_description_length_and_remedy() -> None:
    text = named_texts()[QUANTITY_PATTERN]
    assert (text.name, text.max_length) == ("QuantityText", 32)
    assert text.description.startswith("An amount of memory")
    assert "such as 24Gi" in text.remedy


def test_of_two_names_for_one_pattern_the_wider_one_counts() -> None:
    assert "PositiveQuantityText" not in TEXTS


def test_texts_of_every_version_are_found() -> None:
    assert {"ModeText", "DurationText", "LabelKey", "GibText", "ConditionType"} <= TEXTS.keys()


def test_every_text_that_users_write_has_a_remedy() -> None:
    assert {name for name, text in TEXTS.items() if not text.remedy} == {"ConditionReason", "ConditionType"}
