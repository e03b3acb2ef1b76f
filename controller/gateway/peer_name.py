"""How replicas know each other: by a name in their certificates, which one private authority issues."""

from typing import Final

PEER_NAME: Final = "aim-gpu-gateway-peer"
"""The DNS name in every replica's certificate: who shows one may take and send requests."""
