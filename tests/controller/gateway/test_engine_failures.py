import structlog

from controller.gateway.engine_failures import EngineFailures


def test_failures_of_one_engine_are_all_counted_and_logged_once_in_a_while() -> None:
    with structlog.testing.capture_logs() as lines:
        failures = EngineFailures()
        for now in (0.0, 1.0, 2.0, 11.0):
            failures.add("pod-a", "r-1", "team-a/llama", "EngineLost", "reset", now)
        failures.add("pod-b", "r-2", "team-a/llama", "EngineSilent", "nothing came", 2.0)
    assert failures.by_reason == {"EngineLost": 4, "EngineSilent": 1}
    assert [(line["engine"], line["not_logged_before"]) for line in lines] == [("pod-a", 0), ("pod-a", 2), ("pod-b", 0)]
