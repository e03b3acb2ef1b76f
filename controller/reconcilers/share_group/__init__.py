"""Share groups: members that have one partition, one GPUPartitionClaim and one ResourceClaim together.

In: pods with our gate that name the claim of their group. Out: the group's claim, its ResourceClaim, a fixed share of
memory and compute units for each member, and one patch a member that opens its gate.

    nothing --members gathered--> Pending --cycle decides--> Bound --scheduler allocates--> Allocated
                                                               |  member by member: share written, gate opened
    last member gone: ResourceClaim and claim removed; members still waiting found the group anew

    groups = ShareGroups(context, ClaimWriter(context), placing, refusals)
"""
