"""Operator-framework's own tools, asked about our bundle and catalogue as keepers of catalogues ask them.

In: folders of a bundle or a catalogue. Out: findings, or the catalogue as `opm` reads it. The programs are built once
from Go modules, as those of the local control plane are.
"""

from e2e.olm.checks import BundleChecks, Finding, Unreadable
from e2e.olm.crdify import Crdify
from e2e.olm.opm import Opm, Refused

__all__ = ["BundleChecks", "Crdify", "Finding", "Opm", "Refused", "Unreadable"]
