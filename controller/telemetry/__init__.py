"""Telemetry: every metric's name once, the SDK behind them, and logs.

In: measurements. Out: Prometheus text through OpenTelemetry's exporter. Rooms take instruments as arguments, so that a
test reads its own.

    >>> from controller.telemetry.metrics import Metrics
    >>> metrics = Metrics("operator")
    >>> metrics.scheduler_operations.add(1, {"operation": "bind", "result": "success"})
    >>> b"aim_scheduler_operations_total" in metrics.exposition()
    True
"""
