"""A cluster of kind for the end-to-end tests where Docker is: nodes, KServe, cert-manager, our image on every node.

In: `cluster.yaml`, kind from its Go module (`tools/kind`), the versions in `steps.py`, the Dockerfile. Out: a cluster
and `build/kind/kubeconfig`; at its end `build/kind/logs`.

    python -m e2e.kind up     # `make kind-up`
    python -m e2e.kind down   # `make kind-down`
"""
