"""AMD's own pods on a node whose modes change: what they are, making them start anew, holding one of them off.

In: a node's name. Out: deleted pods, which their DaemonSets bring back, and one label on the Node. AMD's device plugin
and DRA plugin look for devices once, at their start; the metrics exporter keeps the devices open, so that no mode can
be set. Which pods these are says one table, `signatures`.

    plugins = NodePlugins(client, cluster, clock)
    while await plugins.pause("worker-0") is not None: ...
"""
