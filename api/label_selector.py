"""Kubernetes' label selector, as used by policies for nodes and namespaces."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated

from pydantic import ConfigDict, Field, StringConstraints

from api.defaults import no_items
from api.markers import ATOMIC, Remedy, Rule, rules
from api.object import ApiModel

LabelKey = Annotated[
    str,
    StringConstraints(
        pattern=r"^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?"
        r"[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$",
        max_length=317,
    ),
    Remedy(
        "cannot be the key of a label: write letters, digits, dashes, underscores and dots, with an optional prefix "
        "such as example.com/"
    ),
]
"""Key of a label."""

LabelValue = Annotated[
    str,
    StringConstraints(pattern=r"^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$", max_length=63),
    Remedy(
        "cannot be the value of a label: write letters, digits, dashes, underscores and dots, beginning and ending "
        "with a letter or digit"
    ),
]
"""Value of a label."""


class SelectorOperator(StrEnum):
    """How a requirement compares a label with its values."""

    IN = "In"
    NOT_IN = "NotIn"
    EXISTS = "Exists"
    DOES_NOT_EXIST = "DoesNotExist"


class LabelRequirement(ApiModel):
    """One requirement on a label."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            Rule(
                "!(self.operator in ['In', 'NotIn']) || (has(self.values) && size(self.values) > 0)",
                "operators In and NotIn need values: give some, or write Exists",
                "'operator ' + self.operator + ' of key ' + self.key + ' has no values: give some, or write Exists'",
                field_path=".values",
            ),
            Rule(
                "self.operator in ['In', 'NotIn'] || !has(self.values) || size(self.values) == 0",
                "operators Exists and DoesNotExist take no values: leave values out, or write In or NotIn",
                "'operator ' + self.operator + ' of key ' + self.key + ' takes no values:"
                " leave values out, or write In or NotIn'",
                field_path=".values",
            ),
        )
    )

    key: LabelKey = Field(description="The label's key.")
    operator: SelectorOperator = Field(description="In, NotIn, Exists or DoesNotExist.")
    values: list[LabelValue] = Field(
        default_factory=no_items, max_length=64, description="Values for In and NotIn.", json_schema_extra=ATOMIC
    )

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether labels meet the requirement; NotIn holds for an absent label, as in Kubernetes."""
        match self.operator:
            case SelectorOperator.IN:
                return labels.get(self.key) in self.values
            case SelectorOperator.NOT_IN:
                return labels.get(self.key) not in self.values
            case SelectorOperator.EXISTS:
                return self.key in labels
            case SelectorOperator.DOES_NOT_EXIST:
                return self.key not in labels


class LabelSelector(ApiModel):
    """Selects objects by label; an empty selector selects all."""

    # The API server cannot bound a map's keys, so it could not say what a rule about them costs.
    match_labels: dict[Annotated[str, StringConstraints(min_length=1, max_length=317)], LabelValue] = Field(
        default_factory=dict,
        max_length=32,
        description="Labels that must be present with exactly these values.",
    )
    match_expressions: list[LabelRequirement] = Field(
        default_factory=no_items,
        max_length=32,
        description="Requirements that must hold besides matchLabels.",
        json_schema_extra=ATOMIC,
    )

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether labels meet every requirement."""
        return all(labels.get(key) == value for key, value in self.match_labels.items()) and all(
            requirement.matches(labels) for requirement in self.match_expressions
        )
