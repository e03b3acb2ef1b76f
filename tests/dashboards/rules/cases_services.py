"""Cases of objectives that are missed, services that are not ready, and requests that are refused or fail."""

from collections.abc import Mapping

from tests.dashboards.rules.promtool import Case, Fired, of

SERVICE = {"namespace": "team", "service": "chat", "model": "org/m"}
OTHER = {"namespace": "lab", "service": "draft", "model": "org/n"}
OBJECTIVE = SERVICE | {"metric": "timeToFirstToken", "percentile": "p99", "threshold": "500ms"}
MISSES = "its objective timeToFirstToken p99 below 500ms {} times as often as its budget allows."
CHAT = "service team/chat (model org/m)"


LIMITS = {"1h": "14.4x60", "6h": "6x60", "72h": "1x60"}
"""Of an objective that few requests may miss."""
MEDIAN = OBJECTIVE | {"percentile": "p50"}
LIMITS_OF_MEDIAN = {"1h": "1.49x60", "6h": "1.49x60", "72h": "1x60"}
"""As the operator tells them of a p50 for 99 % of the time: with every request beyond it, it burns at 1.99."""


def burning(
    rates: Mapping[str, str],
    slow: Mapping[str, str],
    limits: Mapping[str, str] = LIMITS,
    objective: Mapping[str, str] = OBJECTIVE,
) -> dict[str, str]:
    """Burn rates, those that are too fast, and slow requests by window."""
    told = {"aim_slo_burn_rate": rates, "aim_slo_burn_rate_limit": limits, "aim_slo_slow_requests": slow}
    return {
        of(name, window=window, **objective): value for name, values in told.items() for window, value in values.items()
    }


def of_median(rates: Mapping[str, str]) -> dict[str, str]:
    """Burn rates of the median; of the other objective the same, which is little there."""
    slow = dict.fromkeys(LIMITS, "99x60")
    return burning(rates, slow, LIMITS_OF_MEDIAN, MEDIAN) | burning(rates, slow)


def fast(rate: str, objective: Mapping[str, str] = OBJECTIVE) -> Fired:
    missed = MISSES.format(rate).replace("p99", objective["percentile"])
    return Fired(objective, f"Service team/chat misses {missed}")


def queue(waiting: str, limit: str = "100x60", elsewhere: str = "") -> dict[str, str]:
    """Two replicas with two classes each, so many `waiting` of each class at either, unless so many `elsewhere` at the second one; and another
    service, whose queue is empty."""
    found = {
        of("aim_model_queued_requests", instance=instance, priority=priority, **SERVICE): values
        for instance, values in (("10.0.0.1:8443", waiting), ("10.0.0.2:8443", elsewhere or waiting))
        for priority in ("standard", "batch")
    }
    found |= {
        of("aim_model_queue_length_limit", instance=instance, **SERVICE): limit
        for instance in ("10.0.0.1:8443", "10.0.0.2:8443")
    }
    return found | {
        of("aim_model_queued_requests", instance="10.0.0.1:8443", priority="standard", **OTHER): "0x60",
        of("aim_model_queue_length_limit", instance="10.0.0.1:8443", **OTHER): "10x60",
    }


def requests(counts: Mapping[tuple[str, str], str]) -> dict[str, str]:
    """A service's requests by status and reason; another one's all succeed."""
    shared = {"priority": "standard", "instance": "10.0.0.1:8443"}
    found = {
        of("aim_model_requests_total", code=code, reason=reason, **shared, **SERVICE): values
        for (code, reason), values in counts.items()
    }
    return found | {of("aim_model_requests_total", code="200", reason="", **shared, **OTHER): "0+600x60"}


def by_engines(counts: Mapping[str, str]) -> dict[str, str]:
    """What engines of the service tell of the same requests, and of those that came past the gateway; by status."""
    shared = {"priority": "", "reason": "", "instance": "10.0.0.9:8443"}
    return {of("aim_model_requests_total", code=code, **shared, **SERVICE): values for code, values in counts.items()}


def full(share: str) -> Fired:
    return Fired(
        SERVICE,
        f"{share} of the queue of {CHAT} has been taken in the mean of five minutes, at the gateway's replica where it is fullest; what comes "
        "beyond it is refused.",
    )


def refused(share: str) -> Fired:
    return Fired(
        SERVICE,
        f"{share} of the requests for {CHAT} are refused because others use what there is; what callers did wrong, or too fast, does not count.",
    )


def fail(share: str) -> Fired:
    return Fired(SERVICE, f"{share} of the requests for {CHAT} that were let in end with an error of the server.")


OK = ("200", "")
CALLERS = {
    "that are sent too fast": ("429", "RateLimited"),
    "whose callers leave": ("499", "ClientGone"),
    "that are wrong": ("400", ""),
}
CROWDED = {
    "for which the queue is full": ("429", "QueueFull"),
    "that make room for better ones": ("429", "Shed"),
    "that are late": ("504", "DeadlineExceeded"),
}
BURNS = [
    Case(
        "AimSloBurnsFast",
        "2 % of the budget in an hour, until it is over",
        burning({"1h": "1x5 20x40", "5m": "1x5 20x10 1x30"}, {"1h": "3x5 12x60"}),
        fires={8: [fast("20.0")]},
        silent=(5, 7, 17),
    ),
    Case(
        "AimSloBurnsFast",
        "5 % in six hours",
        burning({"6h": "1x5 8x40", "30m": "1x5 8x10 1x30"}, {"6h": "3x5 12x60"}),
        fires={8: [fast("8.0")]},
        silent=(5, 7, 17),
    ),
    Case(
        "AimSloBurnsFast",
        "an hour's, over by now",
        burning({"1h": "20x60", "5m": "8x60"}, {"1h": "99x60"}),
        silent=(5, 30),
    ),
    Case(
        "AimSloBurnsFast",
        "a peak in a good hour",
        burning({"1h": "8x60", "5m": "50x60"}, {"1h": "99x60"}),
        silent=(5, 30),
    ),
    Case("AimSloBurnsFast", "eight requests", burning({"1h": "50x60", "5m": "50x60"}, {"1h": "8x60"}), silent=(5, 30)),
    Case(
        "AimSloBurnsFast",
        "six hours', over by now",
        burning({"6h": "9x60", "30m": "4x60"}, {"6h": "99x60"}),
        silent=(5, 30),
    ),
    Case("AimSloBurnsFast", "half an hour's", burning({"6h": "4x60", "30m": "9x60"}, {"6h": "99x60"}), silent=(5, 30)),
    Case(
        "AimSloBurnsFast", "eight in six hours", burning({"6h": "9x60", "30m": "9x60"}, {"6h": "8x60"}), silent=(5, 30)
    ),
    Case(
        "AimSloBurnsFast",
        "every request in an hour, where half of them may be slow",
        of_median({"1h": "0.2x5 1.99x40", "5m": "1.99x15 0.9x30"}),
        fires={8: [fast("2.0", MEDIAN)]},
        silent=(5, 7, 17),
    ),
    Case(
        "AimSloBurnsFast",
        "every request in six hours, where half of them may be slow",
        of_median({"6h": "0.2x5 1.99x40", "30m": "1.99x15 0.9x30"}),
        fires={8: [fast("2.0", MEDIAN)]},
        silent=(5, 7, 17),
    ),
    Case(
        "AimSloBurnsFast",
        "more than allowed and less than most, where half of them may be slow",
        of_median(dict.fromkeys(("1h", "5m", "6h", "30m"), "1.4x60")),
        silent=(5, 30),
    ),
    Case("AimSloBurnsFast", "three days'", burning({"72h": "3x60", "6h": "3x60"}, {"72h": "99x60"}), silent=(5, 30)),
    Case(
        "AimSloBurnsSlowly",
        "10 % in three days, until the last six hours are good",
        burning({"72h": "0.9x5 1.5x60", "6h": "1.5x30 0.9x30"}, {"72h": "12x60"}),
        fires={21: [Fired(OBJECTIVE, "Over three days service team/chat missed " + MISSES.format("1.5"))]},
        silent=(5, 20, 32),
    ),
    Case(
        "AimSloBurnsSlowly",
        "over by now",
        burning({"72h": "1.5x60", "6h": "0.9x60"}, {"72h": "99x60"}),
        silent=(16, 40),
    ),
    Case(
        "AimSloBurnsSlowly",
        "within the budget",
        burning({"72h": "0.9x60", "6h": "1.5x60"}, {"72h": "99x60"}),
        silent=(16, 40),
    ),
    Case(
        "AimSloBurnsSlowly",
        "eight requests",
        burning({"72h": "1.5x60", "6h": "1.5x60"}, {"72h": "8x60"}),
        silent=(16, 40),
    ),
]
READY = [
    Case(
        "AimInferenceServiceNotReady",
        "a quarter of an hour, until it is ready",
        {
            of("aim_inference_service_condition", condition="Ready", **SERVICE): "1x5 0x20 1x20",
            of("aim_inference_service_condition", condition="Ready", **OTHER): "1x60",
        },
        fires={
            21: [
                Fired(
                    SERVICE,
                    "InferenceService team/chat of model org/m has the condition Ready False; its message says why.",
                )
            ]
        },
        silent=(5, 20, 27),
    ),
    Case(
        "AimInferenceServiceNotReady",
        "another condition",
        {of("aim_inference_service_condition", condition="SLOMet", **SERVICE): "0x60"},
        silent=(16, 40),
    ),
]
REQUESTS = [
    Case(
        "AimModelQueueSaturated",
        "90 % of all replicas' queues in the mean of five minutes, until they are shorter",
        queue("10x5 45x10 10x30"),
        fires={13: [full("90%")]},
        silent=(5, 11, 12, 18),
    ),
    Case(
        "AimModelQueueSaturated",
        "full again and again, with room for a moment every five minutes",
        queue(" ".join(["50 50 50 50 39.5"] * 6)),
        fires={12: [full("96.5%")], 28: [full("96.5%")]},
    ),
    Case(
        "AimModelQueueSaturated",
        "full at one of two replicas",
        queue("50x60", elsewhere="0x60"),
        fires={12: [full("100%")]},
    ),
    Case(
        "AimModelQueueSaturated",
        "full for hardly five minutes",
        queue("10x5 50x4 10x30"),
        silent=(7, 9, 11, 12, 13, 14),
    ),
    Case("AimModelQueueSaturated", "70 %", queue("35x60"), silent=(6, 30)),
    Case(
        "AimModelQueueSaturated",
        "requests that came past the gateway wait in the engine, told by one collector",
        queue("10x60") | {of("aim_model_queued_requests", instance="10.0.0.1:8443", priority="", **SERVICE): "900x60"},
        silent=(6, 30),
    ),
    Case("AimModelQueueSaturated", "no request may wait", queue("0x60", "0x60"), silent=(6, 30)),
    Case(
        "AimModelRequestsRefused",
        "8 % for want of room, until there is some",
        requests({OK: "0+552x60", ("429", "QueueFull"): "0x5 0+48x30 1440x30"}),
        fires={15: [refused("8%")]},
        silent=(5, 14, 46),
    ),
    *(
        Case(
            "AimModelRequestsRefused",
            reason,
            requests({OK: "0+552x60", (code, reason): "0+48x60"}),
            fires={20: [refused("8%")]},
        )
        for code, reason in (
            ("429", "QueueTimeout"),
            ("429", "Shed"),
            ("429", "DeadlineUnreachable"),
            ("504", "DeadlineExceeded"),
        )
    ),
    Case(
        "AimModelRequestsRefused",
        "8 %, beside engines that serve all that comes to them",
        requests({OK: "0+552x60", ("429", "Shed"): "0+48x60"}) | by_engines({"200": "0+552x60"}),
        fires={12: [refused("8%")]},
    ),
    *(
        Case(
            "AimModelRequestsRefused",
            f"8 %, beside many {title}",
            requests({OK: "0+552x60", ("429", "QueueFull"): "0+48x60", ended: "0+3000x60"}),
            fires={12: [refused("8%")]},
        )
        for title, ended in CALLERS.items()
    ),
    Case(
        "AimModelRequestsRefused",
        "8 % of those that engines fail",
        requests({("502", "EngineFailed"): "0+552x60", ("429", "QueueFull"): "0+48x60"}),
        fires={12: [refused("8%")]},
    ),
    Case(
        "AimModelRequestsRefused", "4 %", requests({OK: "0+576x60", ("429", "QueueFull"): "0+24x60"}), silent=(15, 40)
    ),
    Case(
        "AimModelRequestsRefused",
        "too fast",
        requests({OK: "0+552x60", ("429", "RateLimited"): "0+48x60"}),
        silent=(15, 40),
    ),
    Case(
        "AimModelRequestsRefused",
        "fourteen requests in five minutes",
        requests({OK: "0x60", ("429", "Shed"): "0+2.8x60"}),
        fires={12: [refused("100%")]},
    ),
    Case("AimModelRequestsRefused", "seven", requests({OK: "0x60", ("429", "Shed"): "0+1.4x60"}), silent=(12, 40)),
    Case(
        "AimModelRequestsRefused",
        "by engines",
        requests({OK: "0+1x60", ("502", "EngineFailed"): "0+48x60"}),
        silent=(15, 40),
    ),
    Case(
        "AimModelRequestsFail",
        "8 % by engines, until they are mended",
        requests({OK: "0+552x60", ("502", "EngineFailed"): "0x5 0+48x30 1440x30"}),
        fires={15: [fail("8%")]},
        silent=(5, 14, 46),
    ),
    Case(
        "AimModelRequestsFail",
        "no pod is ready",
        requests({("503", "NoEndpoint"): "0+60x60"}),
        fires={8: [fail("100%")]},
        silent=(5,),
    ),
    *(
        Case(
            "AimModelRequestsFail",
            f"all that are let in, beside many {title}",
            requests({("502", "EngineFailed"): "0+60x60", ended: "0+3000x60"}),
            fires={8: [fail("100%")]},
        )
        for title, ended in (CALLERS | CROWDED).items()
    ),
    Case(
        "AimModelRequestsFail",
        "all three that are let in, beside many that are sent too fast",
        requests({("502", "EngineLost"): "0+0.6x60", ("429", "RateLimited"): "0+3000x60"}),
        fires={12: [fail("100%")]},
    ),
    Case(
        "AimModelRequestsFail",
        "4 % of those that are let in, beside many that are refused",
        requests({OK: "0+576x60", ("502", "EngineFailed"): "0+24x60", ("429", "QueueFull"): "0+3000x60"}),
        silent=(15, 40),
    ),
    *(
        Case(
            "AimModelRequestsFail",
            f"8 % break off within their answers: {reason}",
            requests({OK: "0+552x60", ("200", reason): "0+48x60"}),
            fires={12: [fail("8%")]},
        )
        for reason in ("EngineLost", "EngineSilent", "BadAnswer")
    ),
    *(
        Case(
            "AimModelRequestsFail",
            f"{title}, of a service that is called both ways",
            requests({OK: "0+552x60"} | gateway) | by_engines({"200": "0+552x60"} | engines),
            fires={12: [fail("8%")]},
        )
        for title, gateway, engines in (
            ("8 % before engines are asked", {("503", "NoEndpoint"): "0+48x60"}, {}),
            ("8 % past the gateway", {}, {"5xx": "0+48x60"}),
        )
    ),
    Case(
        "AimModelRequestsFail",
        "two at either",
        requests({OK: "0x60", ("502", "EngineFailed"): "0+0.4x60"}) | by_engines({"5xx": "0+0.4x60"}),
        silent=(12, 40),
    ),
    Case("AimModelRequestsFail", "4 %", requests({OK: "0+576x60", ("500", ""): "0+24x60"}), silent=(15, 40)),
    Case(
        "AimModelRequestsFail",
        "the caller's",
        requests({OK: "0+552x60", ("400", "BadBody"): "0+48x60"}),
        silent=(15, 40),
    ),
    Case(
        "AimModelRequestsFail",
        "late",
        requests({OK: "0+552x60", ("504", "DeadlineExceeded"): "0+48x60"}),
        silent=(15, 40),
    ),
    Case(
        "AimModelRequestsFail",
        "fourteen requests in five minutes",
        requests({OK: "0x60", ("502", "EngineLost"): "0+2.8x60"}),
        fires={12: [fail("100%")]},
    ),
    Case(
        "AimModelRequestsFail",
        "eight in a hundred, fourteen in five minutes",
        requests({OK: "0+32.2x60", ("502", "EngineLost"): "0+2.8x60"}),
        fires={12: [fail("8%")]},
    ),
    Case(
        "AimModelRequestsFail",
        "all three in five minutes, as many as there are",
        requests({OK: "0x60", ("502", "EngineLost"): "0+0.6x60"}),
        fires={12: [fail("100%")]},
    ),
    Case("AimModelRequestsFail", "both", requests({OK: "0x60", ("502", "EngineLost"): "0+0.4x60"}), silent=(12, 40)),
    Case(
        "AimModelRequestsFail",
        "seven of nine",
        requests({OK: "0+0.4x60", ("502", "EngineLost"): "0+1.4x60"}),
        silent=(12, 40),
    ),
]
CASES = [*BURNS, *READY, *REQUESTS]
