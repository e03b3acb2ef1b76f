"""A real Prometheus for tests, and its tool: Debian's own package, unpacked into the cache.

In: where our processes listen, files of rules, a token. Out: answers of Prometheus' HTTP API as plain values.

    from e2e.prometheus.programs import ensure_prometheus

    programs = ensure_prometheus()
    subprocess.run([programs.promtool, "check", "rules", "some.rules.yaml"], check=True)

`python -m e2e.prometheus` prints the path of promtool, for a shell.
"""
