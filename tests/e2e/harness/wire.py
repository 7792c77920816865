"""Enough of the protocol to break its rules on purpose; see common/wire/hello.hpp, preface.hpp and frame.hpp."""

import socket
import ssl
import struct

HELLO = b"TNLC" + struct.pack(">HH", 1, 1)
PREFACE_SIZE = 56


def tls(port: int, deadline: float = 30.0) -> ssl.SSLSocket:
    """A control connection up to the end of the TLS handshake; the server's identity is not checked."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    raw = socket.create_connection(("127.0.0.1", port), timeout=deadline)
    return context.wrap_socket(raw)


def read_to_end(peer) -> bytes:
    """What the server says until it closes the connection in any way; TimeoutError when it does not."""
    data = b""
    try:
        while piece := peer.recv(65536):
            data += piece
    except (ConnectionError, ssl.SSLError):
        pass
    return data


def false_server(folder: str):
    """A listener with the identity of the server in `folder`: (socket that yields TLS connections, port)."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(f"{folder}/server.crt", f"{folder}/server.key")
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(30)
    port = listener.getsockname()[1]
    return context.wrap_socket(listener, server_side=True), port
