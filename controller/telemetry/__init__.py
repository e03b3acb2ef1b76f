"""Telemetry: every metric's name once, the SDK behind metrics and spans, and logs.

In: measurements, spans, log lines. Out: Prometheus text through OpenTelemetry's exporter, OTLP where a collector is
named, lines on stderr. Rooms take instruments and tracers as arguments, so that a test reads its own.

    >>> import asyncio
    >>> from controller.telemetry.metrics import Metrics
    >>> from controller.telemetry.instruments import CLAIMS
    >>> metrics = Metrics("operator")
    >>> metrics.observe(CLAIMS, lambda: [(("Bound",), 3)])
    >>> print(asyncio.run(metrics.exposition()).decode())  # doctest: +ELLIPSIS
    # HELP ...
    # HELP aim_claims GPUPartitionClaims by phase
    # TYPE aim_claims gauge
    aim_claims{phase="Bound"} 3.0
    <BLANKLINE>
"""
