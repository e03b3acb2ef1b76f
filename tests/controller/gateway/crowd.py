"""`python crowd.py PORT COUNT`: opens so many connections to the port, says how many, and holds them until its input ends.

A process of its own, for a connection takes a file descriptor at each of its ends, and a process has so many.
"""

import socket
import sys


def main() -> None:
    port, count = int(sys.argv[1]), int(sys.argv[2])
    held = [socket.create_connection(("127.0.0.1", port)) for _ in range(count)]
    sys.stdout.write(f"{len(held)}\n")
    sys.stdout.flush()
    sys.stdin.read()


if __name__ == "__main__":
    main()
