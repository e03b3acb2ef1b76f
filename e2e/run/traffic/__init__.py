"""Requests for the models of a run, and what became of them: through the gateway, as any client of OpenAI's API sends
them.

In: the gateway's address, a key for each namespace, the services that are there. Out: live figures by service for the
table, and the scene of the flooded neighbour with its judgement.

    sent       one request, and what became of it; pure       caller     sends one
    latencies  figures of the last seconds; pure              steady     some requests of every model, all the time
    judgement  what the scene showed; pure                    flood      two models on one partition, one flooded
"""
