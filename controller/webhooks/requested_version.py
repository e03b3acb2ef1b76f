"""Findings in the words of the version in which the user sent the object.

The API server converts what was sent as v1alpha1 before it asks us, and tells us which it was; the checks name fields
of v1beta1. ``api.conversion.field_path`` knows the flat names.
"""

from collections.abc import Sequence
from dataclasses import replace

from api.conversion.field_path import flat_field, flat_text, flat_values
from api.conversion.kind_mapping import KindMapping
from api.group import V1ALPHA1
from controller.runtime.webhook.admission import AdmissionRequest
from controller.translate.request import Problem
from controller.webhooks.finding import Finding


def as_sent(findings: Sequence[Finding], request: AdmissionRequest, mapping: KindMapping) -> list[Finding]:
    """The findings, with the fields and values that the user wrote."""
    if request.requested_version != V1ALPHA1:
        return list(findings)
    return [replace(finding, problem=_flat(finding.problem, mapping)) for finding in findings]


def _flat(problem: Problem, mapping: KindMapping) -> Problem:
    field, value = flat_field(mapping, problem.field, problem.value)
    values = flat_values(mapping, problem.field)
    remedy = flat_text(mapping, problem.remedy)
    return Problem(field, value, f"{remedy} ({values})" if values else remedy)
