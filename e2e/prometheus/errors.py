"""What can go wrong with Prometheus, by what the caller would do about it.

```
PrometheusError
├── QueryRefused    it does not answer a query; the text has the expression and what it said
└── RulesRefused    it does not take a file of rules; the text has what is wrong
```
That it cannot be had, does not start or has ended are errors of `e2e.plane`.
"""

from e2e.plane.errors import PlaneError


class PrometheusError(PlaneError):
    """Prometheus said no."""


class QueryRefused(PrometheusError):
    """A query is wrong, or was answered only in part."""


class RulesRefused(PrometheusError):
    """A file of rules cannot be loaded; the rules before stay."""
