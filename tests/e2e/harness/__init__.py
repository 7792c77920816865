"""What the end-to-end tests stand on: real programs in temporary folders, watched and ended by the test that started them."""

from .case import TunnelTest, main
from .net import (
    connect,
    connection_outcome,
    free_port,
    is_listening,
    recv_exactly,
    recv_to_end,
    refuses,
)
from .process import Process, run
from .proxy import Proxy
from .services import Service, child_service, echo, http_file_server
from .system import (
    full_size,
    is_root,
    ordinary_user,
    sanitizer,
    tool,
)
from .tunnel import Client, Ctl, Server, Tunnel, tunnel_binary
from .waiting import holds_for, patience, wait_until

__all__ = [
    "Client",
    "Ctl",
    "Process",
    "Proxy",
    "Server",
    "Service",
    "Tunnel",
    "TunnelTest",
    "child_service",
    "connect",
    "connection_outcome",
    "echo",
    "free_port",
    "full_size",
    "holds_for",
    "http_file_server",
    "is_listening",
    "is_root",
    "main",
    "ordinary_user",
    "patience",
    "recv_exactly",
    "recv_to_end",
    "refuses",
    "run",
    "sanitizer",
    "tool",
    "tunnel_binary",
    "wait_until",
]
