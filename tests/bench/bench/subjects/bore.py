"""bore. Its control port is 7835 and nothing else, so it is skipped when that port is taken."""

from bench.subjects.base import PLAIN, Subject, need_peers
from bench.workspace import is_free, listens, wait_until

_CONTROL_PORT = 7835


class Bore(Subject):
    name = "bore"
    title = "bore"
    kind = PLAIN

    @classmethod
    def missing(cls, workspace):
        return need_peers(workspace, "bore")

    def launch(self, service_port):
        # Freed by an instance that was stopped a moment ago, perhaps.
        wait_until(lambda: is_free(_CONTROL_PORT), f"bore's port {_CONTROL_PORT} to be free", timeout=5)
        public = self.workspace.ports.pick()
        program = self.workspace.peer("bore")
        server = self.spawn("server", [program, "server", "--min-port", "1024"])
        wait_until(lambda: listens(_CONTROL_PORT), "the bore server", process=server)
        client = self.spawn("client", [program, "local", service_port, "--to", "127.0.0.1", "--port", public])
        wait_until(lambda: listens(public), "the bore client's port", process=client)
        return public
