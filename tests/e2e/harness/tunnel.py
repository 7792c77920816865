"""The programs under test: tunnel-server, tunnel-client and tunnelctl from the folder in TUNNEL_BIN."""

import json
import os
import re
import shutil
import tempfile

from .net import free_port
from .process import run
from .system import give_to, is_root
from .waiting import wait_until

LINK = re.compile(r"^tunnel://(?P<name>[^:]+):(?P<secret>[A-Za-z0-9_-]{43})@(?P<host>[^/?]+)\?pin=(?P<pin>[A-Za-z0-9_-]{43})$")

_open_copies: dict[str, str] = {}


def tunnel_binary(name: str, user: str | None = None) -> str:
    """The path of a program under test; a copy where an ordinary user can reach it when one is named."""
    folder = os.environ.get("TUNNEL_BIN")
    if not folder:
        raise AssertionError("set TUNNEL_BIN to the folder of tunnel-server, tunnel-client and tunnelctl (ctest does)")
    path = os.path.join(folder, name)
    if user is None or not is_root():
        return path
    if name not in _open_copies:
        copies = tempfile.mkdtemp(prefix="tunnel-e2e-bin-")
        os.chmod(copies, 0o755)
        _open_copies[name] = os.path.join(copies, name)
        shutil.copy(path, _open_copies[name])
        os.chmod(_open_copies[name], 0o755)
        import atexit
        atexit.register(shutil.rmtree, copies, ignore_errors=True)
    return _open_copies[name]


def toml(settings: dict, mappings=()) -> str:
    """A config file: scalars and lists first, then the tables, then [[mapping]] blocks."""
    def block(table):
        return "".join(f"{key} = {json.dumps(value)}\n" for key, value in table.items() if not isinstance(value, dict))
    text = block(settings)
    for name, table in settings.items():
        if isinstance(table, dict):
            text += f"\n[{name}]\n" + block(table)
    for mapping in mappings:
        text += "\n[[mapping]]\n" + block(mapping)
    return text


class Ctl:
    """tunnelctl against one server. ctl("mapping", "list") returns the completed process and fails the test on exit != 0."""

    def __init__(self, folder: str, user: str | None = None):
        self.folder = folder
        self.user = user

    def run(self, *arguments, user=None, deadline=30.0):
        user = user or self.user
        return run([tunnel_binary("tunnelctl", user), *arguments, "--dir", self.folder], user=user, deadline=deadline)

    def __call__(self, *arguments):
        done = self.run(*arguments)
        if done.returncode != 0:
            raise AssertionError(f"tunnelctl {' '.join(map(str, arguments))} ended with {done.returncode}:\n"
                                 f"{done.stdout}\n{done.stderr}")
        return done

    def json(self, *arguments):
        return json.loads(self(*arguments, "--json").stdout)

    def mapping(self, name: str, client: str | None = None) -> dict:
        return self.json("mapping", "show", name, *(["--client", client] if client else []))

    def client(self, name: str) -> dict:
        return next(entry for entry in self.json("client", "list") if entry["name"] == name)

    def add_client(self, name: str, *options) -> str:
        """The join link."""
        return self("client", "add", name, *options).stdout.strip()


class Server:
    """tunnel-server with all its files in one temporary folder; listens on 127.0.0.1 only."""

    def __init__(self, case, *, name="server", user=None, port=0, descriptors=None, settings=None):
        self.case = case
        self.user = user
        self.folder = case.make_folder(name)
        self.descriptors = descriptors
        self.name = name
        self.settings = {"public_host": "127.0.0.1", "listen": [f"127.0.0.1:{port or free_port()}"], "bind": ["127.0.0.1"]}
        self.settings.update(settings or {})
        give_to(self.folder, user)
        done = self.run("init", "--public-host", "127.0.0.1")
        if done.returncode != 0:
            raise AssertionError(f"tunnel-server init ended with {done.returncode}: {done.stderr}")
        self.write_config()
        self.ctl = Ctl(self.folder, user)
        self.process = None

    @property
    def config(self) -> str:
        return os.path.join(self.folder, "server.toml")

    def run(self, verb, *arguments):
        return run([tunnel_binary("tunnel-server", self.user), verb, *arguments, "--dir", self.folder], user=self.user)

    def write_config(self, **settings) -> None:
        self.settings.update(settings)
        with open(self.config, "w") as file:
            file.write(toml(self.settings))
        give_to(self.config, self.user)

    def launch(self):
        """Starts it without waiting for anything."""
        self.process = self.case.start([tunnel_binary("tunnel-server", self.user), "run", "--dir", self.folder],
                                       name=self.name, user=self.user, descriptors=self.descriptors)
        return self

    def start(self):
        self.launch()
        self.process.wait_for_line("server ready")
        return self

    def stop(self, deadline=15.0) -> int:
        return self.process.stop(deadline=deadline)

    @property
    def port(self) -> int:
        """The tunnel port that it really listens on."""
        return int(self.ctl.json("status")["listen"][0].rsplit(":", 1)[1])

    def connected(self, client: str) -> bool:
        return self.ctl.client(client)["state"] == "connected"

    def wait_connected(self, client: str = "home", deadline=20.0) -> None:
        wait_until(lambda: self.connected(client), deadline, f"client {client} connected")

    def public_port(self, mapping: str, client: str | None = None, deadline=20.0) -> int:
        """The public port of a mapping, once it listens."""
        def listening():
            shown = self.ctl.mapping(mapping, client)
            if shown["state"] != "listening":
                raise AssertionError(f"mapping {mapping} is {shown['state']}: {shown['last_error']}")
            return shown["port"]
        return wait_until(listening, deadline, f"mapping {mapping} listening")


class Client:
    """tunnel-client with its config in one temporary folder."""

    def __init__(self, case, *, name="client", user=None, link=None, settings=None, mappings=(), descriptors=None,
                 env=None):
        self.case = case
        self.user = user
        self.name = name
        self.folder = case.make_folder(name)
        self.descriptors = descriptors
        give_to(self.folder, user)
        self.settings = dict(settings or {})
        self.mappings = list(mappings)
        self.env = env
        self.process = None
        if link is not None:
            self.settings["link"] = link
            self.write_config()

    @property
    def config(self) -> str:
        return os.path.join(self.folder, "client.toml")

    def write_config(self, mappings=None, **settings) -> None:
        self.settings.update(settings)
        if mappings is not None:
            self.mappings = list(mappings)
        descriptor = os.open(self.config, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with open(descriptor, "w") as file:
            file.write(toml(self.settings, self.mappings))
        give_to(self.config, self.user)

    def run(self, verb, *arguments, input=None, deadline=30.0):
        return run([tunnel_binary("tunnel-client", self.user), verb, *arguments, "--dir", self.folder], user=self.user,
                   env=self.env, input=input, deadline=deadline)

    def launch(self, verb="run", *arguments):
        self.process = self.case.start(
            [tunnel_binary("tunnel-client", self.user), verb, *arguments, "--dir", self.folder],
            name=f"{self.name} {verb}", user=self.user, env=self.env, descriptors=self.descriptors)
        return self

    def start(self, *arguments):
        self.launch("run", *arguments)
        self.process.wait_for_line("client ready", 20)
        return self

    def expose(self, service, *arguments):
        """`expose` in the foreground; returns (process, public port) once the public address is printed."""
        process = self.launch("expose", str(service), *arguments).process
        found = process.wait_for_line(r"^(\S+): (?:tcp|udp)://(\S+):(\d+) -> (\S+)$", 20, stream="out")
        return process, int(found.group(3))

    def stop(self, deadline=15.0) -> int:
        return self.process.stop(deadline=deadline)


class Tunnel:
    """Both ends on this machine. `via` gives the client another port than the server's (a proxy's)."""

    def __init__(self, case, *, user=None, server=None, client=None, port=0, descriptors=None, mappings=(), via=None):
        self.server = Server(case, user=user, port=port, settings=server, descriptors=descriptors).start()
        self.ctl = self.server.ctl
        self.link = self.ctl.add_client("home")
        if via is not None:
            self.link = re.sub(r"@127\.0\.0\.1:\d+", f"@127.0.0.1:{via(self.server.port)}", self.link)
        self.client = Client(case, user=user, link=self.link, settings=client, mappings=mappings, descriptors=descriptors)
        self.client.start()
        self.server.wait_connected()

    def map(self, name: str, service, *, encrypt=True, tcp=0) -> int:
        """Adds a mapping as the server's admin; the public port once it listens."""
        service = service if ":" in str(service) else f"127.0.0.1:{service}"
        self.ctl("mapping", "add", name, "--client", "home", "--tcp", tcp, "--to", service,
                 *([] if encrypt else ["--no-encrypt"]))
        return self.server.public_port(name)
