"""Looks for rights that a plane's controllers lack."""

import json

from e2e.plane import Plane
from e2e.plane.credentials import KSERVE_MANAGER, LLMISVC_MANAGER
from e2e.plane.kserve import KSERVE, LLMISVC

CONTROLLERS = ("kube-controller-manager", "kube-scheduler", "kwok", KSERVE, LLMISVC)
USERS = (
    "system:kube-",
    "system:serviceaccount:kube-system:",
    "kwok-controller",
    KSERVE_MANAGER,
    LLMISVC_MANAGER,
)


def refusals(plane: Plane) -> list[str]:
    """Lines in which a controller complains of missing rights, and the writes that were refused for that reason.

    Other refusals are everyday life: nothing can be created in a namespace that is being deleted.
    """
    started = plane.children()
    complaints = [
        line
        for component in CONTROLLERS
        if component in started
        for line in plane.log(component).read_text().splitlines()
        if "forbidden: User" in line or "nauthorized" in line
    ]
    audited = [json.loads(line) for line in plane.audit_log.read_text().splitlines()]
    refused = [
        f"{entry['user']['username']} {entry['verb']} {entry['requestURI']}"
        for entry in audited
        if entry["annotations"].get("authorization.k8s.io/decision") != "allow"
        and entry["user"]["username"].startswith(USERS)
    ]
    return complaints + refused
