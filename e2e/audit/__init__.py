"""What we ship of others: whether weaknesses of it are known, and whether its licences let us ship it.

In: `uv.lock`, what is installed from it, and known vulnerabilities: of PyPI or OSV, which pip-audit asks, or out of a
folder of advisories. Licences need nobody's answer. Out: a line
for each finding and an exit code. Only what goes into the image is looked at: no tool of development.

    UV=build/uv/bin/uv .venv/bin/python -m e2e.audit    # `make audit`
"""
