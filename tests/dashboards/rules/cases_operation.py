"""Cases of our own processes: leaders, webhooks, certificates, and who is there at all."""

from collections.abc import Mapping

from tests.dashboards.rules.promtool import Case, Fired, of

DAY = 86_400
WEEK = 7 * 24 * 60
"""In minutes."""
ENDS = "aim_certificate_expiration_timestamp_seconds"


def leading(first: str, second: str, name: str = "aim-gpu-operator") -> dict[str, str]:
    return {
        of("leader_election_master_status", name=name, instance="10.0.0.1:8443"): first,
        of("leader_election_master_status", name=name, instance="10.0.0.2:8443"): second,
    }


def processes(kind: str, values: str) -> dict[str, str]:
    """One of that kind, and an operator beside it."""
    return {
        of("aim_build_info", process="operator", version="0.1.0", instance="10.0.0.1:8443"): "1x60",
        of("aim_build_info", process=kind, version="0.1.0", instance="10.0.0.3:8443"): values,
    }


def gone(process: str) -> Fired:
    return Fired(
        {"process": process},
        f"No {process} tells its metrics any more, and one did within the last week: it is down, or cannot be scraped. "
        "Alerts on what it tells are silent.",
    )


def reviews(path: str, counts: Mapping[str, str]) -> dict[str, str]:
    """Reviews at a path by status; at another one of ours all are answered."""
    name, instance = "controller_runtime_webhook_requests_total", "10.0.0.1:8443"
    found = {of(name, webhook=path, code=code, instance=instance): values for code, values in counts.items()}
    return found | {of(name, webhook="/validate-kserve", code="200", instance=instance): "0+60x60"}


def calls(webhook: str, policy: str, every: str, failed: str) -> dict[str, str]:
    """The API server's calls of a webhook, and those of them that failed, where the webhook's failures have that policy."""
    one = {"name": webhook, "instance": "10.0.0.9:6443"}
    labels = one | {"operation": "CREATE", "error_type": "calling_webhook_error", "rejection_code": "500"}
    counted = {
        "Fail": of("apiserver_admission_webhook_rejection_count", **labels),
        "Ignore": of("apiserver_admission_webhook_fail_open_count", **one),
    }
    return {
        of("apiserver_admission_webhook_request_total", code="200", **one): every,
        of("apiserver_admission_webhook_request_total", code="500", **one): failed,
        counted[policy]: failed,
    }


def unreachable(share: str, webhook: str) -> Fired:
    return Fired(
        {"name": webhook},
        f"{share} of the API server's calls of webhook {webhook} fail: pods that opt in are refused, or objects of ours "
        "are not checked.",
    )


def errors(share: str, path: str) -> Fired:
    return Fired(
        {"webhook": path},
        f"{share} of the reviews at {path} end in an error: pods that opt in, or objects of ours, are refused.",
    )


def certificate(told: str) -> Fired:
    return Fired({"certificate": "webhook"}, f"Certificate webhook {told}; it should have been renewed by now.")


def two(first: float, second: float) -> dict[str, str]:
    """When the certificates of two replicas end, seconds after the beginning."""
    return {
        of(ENDS, certificate="webhook", instance="10.0.0.1:8443"): f"{first:.0f}x60",
        of(ENDS, certificate="webhook", instance="10.0.0.2:8443"): f"{second:.0f}x60",
        of(ENDS, certificate="gateway", instance="10.0.0.3:8443"): f"{20 * DAY}x60",
    }


PATHS = ("/mutate-pod", "/validate-inference-service", "/validate-policy", "/convert")
CASES = [
    Case(
        "AimOperatorWithoutLeader",
        "a minute in which no replica leads",
        leading("1x5 0x10 1x30", "0x60"),
        fires={
            7: [
                Fired(
                    {"name": "aim-gpu-operator"},
                    "Replicas of the operator run, and none of them holds the Lease aim-gpu-operator: no pod gets a "
                    "partition, and what breaks stays broken.",
                )
            ]
        },
        silent=(5, 6, 17),
    ),
    Case("AimOperatorWithoutLeader", "another one took over", leading("1x5 stale", "0x5 1x60"), silent=(5, 8, 30)),
    Case("AimOperatorWithoutLeader", "somebody else's election", leading("0x60", "0x60", "other"), silent=(2, 30)),
    *(
        Case(
            alert,
            f"the {kind} is gone, for five minutes",
            processes(kind, "1x5 stale _x9 1x40"),
            fires={11: [gone(kind)], 15: [gone(kind)]},
            silent=(5, 10, 17),
        )
        for alert, kind in (
            ("AimProcessMissing", "gateway"),
            ("AimProcessMissing", "agent"),
            ("AimAuxiliaryProcessMissing", "exporter"),
            ("AimAuxiliaryProcessMissing", "ui"),
        )
    ),
    *(
        Case(
            alert,
            f"the {kind} is gone, and forgotten after a week",
            {of("aim_build_info", process=kind, version="0.1.0"): "1x1 stale"},
            fires={15: [gone(kind)], WEEK: [gone(kind)]},
            silent=(5, 10, WEEK + 15),
            step=5,
        )
        for alert, kind in (("AimProcessMissing", "gateway"), ("AimAuxiliaryProcessMissing", "exporter"))
    ),
    *(
        Case("AimProcessMissing", f"the {kind} alone", processes(kind, "1x5 stale"), silent=(11, 30))
        for kind in ("exporter", "ui")
    ),
    *(
        Case("AimAuxiliaryProcessMissing", f"the {kind}", processes(kind, "1x5 stale"), silent=(11, 30))
        for kind in ("gateway", "agent")
    ),
    Case(
        "AimAuxiliaryProcessMissing",
        "that of a cluster, while there is one in another",
        {
            of("aim_build_info", process="ui", version="0.1.0"): "1x5 stale",
            of("aim_build_info", "c2", process="ui", version="0.1.0"): "1x60",
        },
        fires={11: [gone("ui")]},
    ),
    Case(
        "AimProcessMissing",
        "one of two replicas",
        {
            of("aim_build_info", process="operator", version="0.1.0", instance="10.0.0.1:8443"): "1x60",
            of("aim_build_info", process="operator", version="0.1.0", instance="10.0.0.2:8443"): "1x5 stale",
        },
        silent=(11, 30),
    ),
    Case(
        "AimProcessMissing",
        "all of a cluster, while those of another one are there",
        {
            of("aim_build_info", process="agent", version="0.1.0"): "1x5 stale",
            of("aim_build_info", "c2", process="agent", version="0.1.0"): "1x60",
        },
        fires={11: [gone("agent")]},
    ),
    *(
        Case(
            "AimWebhookErrors",
            path,
            reviews(path, {"200": "0+46x60", "500": "0x5 0+4x30 120x30"}),
            fires={15: [errors("7.258%", path)], 25: [errors("8%", path)]},
            silent=(5, 14, 50),
        )
        for path in PATHS
    ),
    Case(
        "AimWebhookErrors",
        "in the third minute",
        reviews("/mutate-pod", {"200": "0x60", "500": "0x5 3x60"}),
        fires={8: [errors("100%", "/mutate-pod")], 15: [errors("100%", "/mutate-pod")]},
        silent=(5, 7, 17),
    ),
    Case(
        "AimWebhookErrors",
        "KServe's services",
        {of("controller_runtime_webhook_requests_total", webhook="/validate-kserve", code="500"): "0+4x60"},
        fires={20: [errors("100%", "/validate-kserve")]},
    ),
    Case("AimWebhookErrors", "4 %", reviews("/mutate-pod", {"200": "0+48x60", "500": "0+2x60"}), silent=(20, 50)),
    Case(
        "AimWebhookErrors",
        "two, and two",
        reviews("/mutate-pod", {"200": "0x60", "500": "0x5 2x14 4x60"}),
        silent=(8, 12, 24),
    ),
    Case(
        "AimWebhookErrors", "somebody else's", reviews("/mutate-v1", {"200": "0x60", "500": "0+9x60"}), silent=(8, 50)
    ),
    *(
        Case(
            "AimWebhookUnreachable",
            f"{webhook} from the sixth minute on, for five",
            calls(webhook, policy, "0+10x5 50x50", "0x5 0+4x5 20x50"),
            fires={9: [unreachable("19.35%", webhook)], 15: [unreachable("100%", webhook)]},
            silent=(5, 8, 25),
        )
        for webhook, policy in (
            ("pod-gate.aim.amd.com", "Fail"),
            ("inference-service.aim.amd.com", "Ignore"),
            ("policy.aim.amd.com", "Ignore"),
            ("kserve.aim.amd.com", "Ignore"),
        )
    ),
    Case("AimWebhookUnreachable", "4 %", calls("pod-gate.aim.amd.com", "Fail", "0+48x60", "0+2x60"), silent=(20, 50)),
    Case(
        "AimWebhookUnreachable",
        "7 %",
        calls("pod-gate.aim.amd.com", "Fail", "0+93x60", "0+7x60"),
        fires={20: [unreachable("7%", "pod-gate.aim.amd.com")]},
    ),
    Case(
        "AimWebhookUnreachable",
        "two, and two",
        calls("pod-gate.aim.amd.com", "Fail", "0x60", "0x5 2x14 4x60"),
        silent=(8, 12, 24),
    ),
    Case(
        "AimWebhookUnreachable",
        "three at once",
        calls("pod-gate.aim.amd.com", "Fail", "0x60", "0x5 3x60"),
        fires={8: [unreachable("100%", "pod-gate.aim.amd.com")], 15: [unreachable("100%", "pod-gate.aim.amd.com")]},
        silent=(5, 7, 17),
    ),
    Case(
        "AimWebhookUnreachable",
        "somebody else's",
        calls("pods.other.example", "Fail", "0x60", "0+9x60") | calls("all.other.example", "Ignore", "0x60", "0+9x60"),
        silent=(8, 50),
    ),
    Case(
        "AimWebhookUnreachable",
        "refusals that we gave",
        {
            name.replace("calling_webhook_error", "no_error"): values
            for name, values in calls("pod-gate.aim.amd.com", "Fail", "0x60", "0+9x60").items()
        },
        silent=(8, 50),
    ),
    Case(
        "AimCertificateExpiresSoon",
        "one replica's ends in four days, until it is renewed",
        two(4 * DAY, 20 * DAY)
        | {of(ENDS, certificate="webhook", instance="10.0.0.1:8443"): f"{4 * DAY + 1200}x30 {24 * DAY}x30"},
        fires={20: [certificate("ends in 4d 0h 0m 0s")]},
        silent=(14, 32),
    ),
    Case("AimCertificateExpiresSoon", "nine days", two(9 * DAY, 9 * DAY), silent=(16, 50)),
    Case(
        "AimCertificateExpires",
        "twenty hours",
        two(72_000 + 1200, 20 * DAY),
        fires={20: [certificate("ends in 20h 0m 0s")]},
        silent=(14,),
    ),
    Case("AimCertificateExpires", "it has ended", two(1200, 20 * DAY), fires={20: [certificate("has ended")]}),
    Case("AimCertificateExpires", "a day and a half", two(1.5 * DAY, 1.5 * DAY), silent=(16, 50)),
]
