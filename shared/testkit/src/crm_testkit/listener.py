"""A listening socket on a free loopback port, for servers that tests start."""

import socket


def listen() -> socket.socket:
    """Named as TCP, which `socket.create_server` leaves out: asyncio then never sets TCP_NODELAY, and every answer of
    two writes waits 40 ms for the other side's delayed acknowledgement.
    """
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", 0))
    listener.listen(2048)
    return listener
