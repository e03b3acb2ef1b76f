"""Where the project's pages are read: what links of dashboards and alerts lead to."""

from typing import Final

#: Files of docs/, as people read them. Who publishes the pages elsewhere changes this, then runs ``make generate``.
ROOT: Final = "https://github.com/amd-enterprise-ai/aim-gpu-sharing/blob/main/docs"
RUNBOOKS: Final = "runbooks"


def page(path: str) -> str:
    """The address of a page by its path in docs/, such as ``qos.md`` or ``qos.md#several-replicas``."""
    return f"{ROOT}/{path}"


def runbook(alert: str) -> str:
    """The address of an alert's runbook."""
    return page(f"{RUNBOOKS}/{alert}.md")
