"""Simulated engines for the pods of a control plane on which no container runs: one on the loopback address for each
pod that is Ready and has its partition, for as long as it is.

In: pods, GPUPartitionClaims, GPUNodes and ModelProfiles of the API server. Out: a file of addresses by pod uid, which
the gateway reads in the place of addresses that nobody listens on, and the record of what was in flight, which judges
it.

    wanted   which pods have an engine, and what it is: by what their pods and claims say, as a container would; pure
    fleet    starts and ends them

    python -m e2e.engine.fleet --kubeconfig FILE --addresses FILE --record FILE
"""
