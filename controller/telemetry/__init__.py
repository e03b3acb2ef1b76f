"""Telemetry: every metric's name once, the SDK behind metrics and spans, and logs.

In: measurements, spans, log lines. Out: Prometheus text through OpenTelemetry's exporter, OTLP where a collector is
named, lines on stderr. Rooms take instruments and tracers as arguments, so that a test reads its own.

    >>> from controller.telemetry.metrics import Metrics
    >>> metrics = Metrics("operator")
    >>> metrics.scheduler_operations.add(1, {"operation": "bind", "result": "success"})
    >>> b"aim_scheduler_operations_total" in metrics.exposition()
    True
"""
