"""End to end: a local control plane and what runs on it. Never imported by the product.

In: the pinned Go modules, our manifests, `examples/`. Out: a working API server with simulated nodes (`plane`), and on
it the operator, the agents and the examples (`run`, which is `make run`).

    from e2e.plane import Plane

    with Plane() as plane:
        print(plane.admin.get("/version")["gitVersion"])
"""
