"""A replica's own Lease, by which the others know that it is there, and where."""

from collections.abc import Mapping

from controller.gateway.shards.lease_view import ADDRESS, GROUP_LABEL, LEAVING
from controller.runtime.client.client import Client
from controller.runtime.election.lease_object import ApiLease


class ReplicaLease(ApiLease):
    """The Lease `name` of a replica. `address`: where others reach it, "host:port"; `leaving`: it is about to go."""

    def __init__(self, client: Client, namespace: str, name: str, *, group: str) -> None:
        super().__init__(client, namespace, name, labels={GROUP_LABEL: group})
        self.address = ""
        self.leaving = False

    def annotations(self) -> Mapping[str, str]:
        """See ApiLease."""
        return {ADDRESS: self.address, LEAVING: "true" if self.leaving else "false"}
