"""Draws the committed dashboards from a Prometheus, for a look without Grafana.

In: `json/`, as Grafana would load it, and the answers to its panels' queries. Out: a page a dashboard, on which panels
lie where Grafana puts them, with their titles, descriptions, units, thresholds and legends. It is no Grafana: what it
does not know of a panel it says on the panel, and nothing can be chosen on the page.
"""
