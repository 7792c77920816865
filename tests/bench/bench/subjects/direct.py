"""No tunnel at all: the visitor connects to the service. The ceiling of what this machine can show."""

from bench.subjects.base import Subject


class Direct(Subject):
    name = "direct"
    title = "direct, no tunnel"
    kind = None
    protocols = ("tcp", "udp")

    @classmethod
    def missing(cls, workspace):
        return None

    def launch(self, service_port):
        return service_port
