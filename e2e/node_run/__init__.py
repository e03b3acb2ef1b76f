"""`make e2e-node`: the scenario of `make run` on real nodes, everything of ours in pods, the models in containers.

In: the examples, a plane with three real nodes, our image, the chart with its pods. Out: the same table, the same line
of JSON and the same exit codes as `e2e.run` has. What is simulated is the GPUs alone: agents serve the kubelets as
AMD's DRA driver does, webhooks are called through their Service, and what the examples run is replaced by a container
that waits (`models.py`).
"""
