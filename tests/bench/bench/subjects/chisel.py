"""chisel: SSH inside a WebSocket."""

from bench.subjects.base import ENCRYPTED, Subject, need_peers
from bench.workspace import listens, wait_until


class Chisel(Subject):
    name = "chisel"
    title = "chisel"
    kind = ENCRYPTED
    protocols = ("tcp", "udp")

    @classmethod
    def missing(cls, workspace):
        return need_peers(workspace, "chisel")

    def launch(self, service_port):
        port, public = self.workspace.ports.pick(), self.workspace.ports.pick()
        program = self.workspace.peer("chisel")
        server = self.spawn("server", [program, "server", "--host", "127.0.0.1", "--port", port, "--reverse"])
        wait_until(lambda: listens(port), "the chisel server", process=server)
        client = self.spawn("client", [program, "client", f"http://127.0.0.1:{port}",
                                       f"R:127.0.0.1:{public}:127.0.0.1:{service_port}"
                                       f"{'/udp' if self.protocol == 'udp' else ''}"])
        if self.protocol == "tcp":
            wait_until(lambda: listens(public), "the chisel client's remote", process=client)
        return public
