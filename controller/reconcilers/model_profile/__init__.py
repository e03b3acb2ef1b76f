"""ModelProfiles: what sizing makes of the facts, in their status, for whoever wrote them.

In: a profile and the others for its model. Out: sizes by precision with default lengths, and the conditions Ready and,
where an older profile goes before it, Conflict.

    reconciler = ModelProfileReconciler(client, cluster, models, clock)
"""
