"""`make run`: the whole product on a local control plane with simulated GPUs, from nothing to a live table.

In: the examples, a plane, our manifests. Out: a table of every partition and who holds it, or with `--once` an exit
code and one JSON object with what was counted. The parts serve tests as well:

    from e2e.plane import Plane
    from e2e.run.install import CRD_FILES, add_gpu_nodes, install
    from e2e.run.processes import start_agents, start_operator

    async with Plane(manifests=CRD_FILES) as plane:
        install(plane)
        add_gpu_nodes(plane, ["gpu-a"])
        async with start_operator(plane, folder) as operator, start_agents(plane, folder, {"gpu-a": "SPX/NPS1"}):
            ...
"""
