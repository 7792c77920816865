"""Datagrams with real programs: dig, dnsmasq and dnsdist, iperf3 -u, a WireGuard tunnel between two hosts."""

import json
import os
import re
import socket
import unittest

from harness import TunnelTest, is_root, main, run, tool, wait_until
from harness.net import free_port
from harness.tunnel import Tunnel

TRANSPORTS = ("stream", "datagram")
# An answer of several packets, that nobody has to repeat over TCP.
LONG_TEXT = ["".join(chr(97 + (piece + at) % 26) for at in range(250)) for piece in range(14)]


def udp_port_is_taken(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False


class Udp(TunnelTest):
    def both_transports(self, service: int):
        """A public port for each transport, and its mapping's name."""
        self.both = self.tunnel()
        for transport in TRANSPORTS:
            self.both.ctl("mapping", "add", transport, "--client", "home", "--udp", 0, "--to", f"127.0.0.1:{service}",
                          "--transport", transport)
        for transport in TRANSPORTS:
            with self.subTest(transport=transport):
                yield transport, self.both.server.public_port(transport)


class Dns(Udp):
    def setUp(self):
        super().setUp()
        self.dig, self.dnsmasq = tool("dig"), tool("dnsmasq")

    def dns_server(self, port: int, address="192.0.2.7"):
        process = self.start([self.dnsmasq, "--no-daemon", f"--port={port}", "--listen-address=127.0.0.1", "--bind-interfaces",
                              "--no-resolv", "--no-hosts", "--conf-file=/dev/null", "--edns-packet-max=8192",
                              f"--address=/home.test/{address}", "--txt-record=long.test," + ",".join(LONG_TEXT),
                              *(["--user=root"] if is_root() else [])])
        wait_until(lambda: udp_port_is_taken(port), what="dnsmasq listens")
        return process

    def ask(self, port: int, *words: str) -> str:
        # -r: nothing of the developer's own set-up.
        done = run([self.dig, "-r", "@127.0.0.1", "-p", port, "+short", "+tries=10", "+time=1", *words])
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout.strip()

    def test_dig_asks_a_dns_server(self):
        service = free_port()
        self.dns_server(service)
        for transport, port in self.both_transports(service):
            self.assertEqual(self.ask(port, "home.test", "A"), "192.0.2.7")
            answer = self.ask(port, "long.test", "TXT", "+bufsize=8192", "+ignore")
            self.assertEqual(re.findall(r'"([a-z]+)"', answer), LONG_TEXT)
            shown = self.both.ctl.mapping(transport)
            self.assertGreaterEqual(shown["datagrams_out"], 2)
            self.assertGreaterEqual(shown["visitors_total"], 2)
            self.assertEqual(shown["datagrams_by"], transport)
            self.assertIn("datagrams_in", shown)

    def address(self, port: int) -> str:
        """Of home.test; dig says before it what it had to ask again."""
        return self.ask(port, "home.test", "A").splitlines()[-1]

    def test_dig_goes_on_being_answered_when_one_of_two_dns_servers_is_killed(self):
        services = {f"192.0.2.{last}": free_port() for last in (1, 2)}
        servers = {address: self.dns_server(port, address) for address, port in services.items()}
        first, second = (f"127.0.0.1:{port}" for port in services.values())
        tunnel = self.tunnel(mappings=[{"name": "dns", "udp": 0, "to": first, "member": [second]}])
        public = tunnel.server.public_port("dns")

        def members():
            return {one["member"]: one for one in tunnel.ctl.mapping("dns")["members"]}

        # Each dig is a flow of its own.
        self.assertEqual({self.address(public) for _ in range(4)}, set(services))
        self.assertGreaterEqual(min(members()[one]["visitors"] for one in (first, second)), 2)
        servers["192.0.2.1"].kill()
        wait_until(lambda: not udp_port_is_taken(services["192.0.2.1"]), what="the first is gone")
        self.assertEqual({self.address(public) for _ in range(10)}, {"192.0.2.2"})
        wait_until(lambda: self.address(public) and members()[first]["state"] == "ejected", what="the first is out")
        self.assertIn("does not answer", members()[first]["reason"])
        self.assertEqual(members()[second]["state"], "up")

        self.dns_server(services["192.0.2.1"], "192.0.2.1")
        wait_until(lambda: self.address(public) == "192.0.2.1", 60, "the first is tried again")
        self.assertEqual({self.address(public) for _ in range(4)}, set(services))

    def test_dig_goes_on_being_answered_when_one_of_two_clients_is_killed(self):
        services = {f"192.0.2.{last}": free_port() for last in (1, 2)}
        for address, port in services.items():
            self.dns_server(port, address)
        of_home, of_office = (f"127.0.0.1:{port}" for port in services.values())
        both = self.tunnel()
        public = free_port()
        both.ctl("mapping", "add", "dns", "--client", "home", "--udp", public, "--to", of_home, "--group", "dns")
        self.assertEqual(both.server.public_port("dns", "home"), public)
        office = self.client(name="office", link=both.ctl.add_client("office"))
        both.ctl("client", "set", "office", "--groups", "dns")
        exposing, port = office.expose(of_office, "--name", "dns", "--udp", public, "--group", "dns")
        self.assertEqual(port, public)
        self.assertEqual({self.address(public) for _ in range(4)}, set(services))
        exposing.kill()
        self.assertEqual({self.address(public) for _ in range(6)}, {"192.0.2.1"})


class ProxyHeader(Udp):
    def test_a_dns_proxy_learns_the_visitors_address(self):
        dig, dnsdist = tool("dig"), tool("dnsdist")
        port = free_port()
        config = self.write("dnsdist.conf", "\n".join((
            f'setLocal("127.0.0.1:{port}")',
            'setACL({"127.0.0.0/8"})',
            # Whoever is there must begin with a PROXY header.
            'setProxyProtocolACL({"127.0.0.0/8"})',
            'known = newNMG()',
            'known:addMask("127.44.5.6/32")',
            'addAction(NetmaskGroupRule(known), SpoofAction("192.0.2.7"))',
            'addAction(AllRule(), RCodeAction(DNSRCode.REFUSED))',
            "setSecurityPollSuffix(\"\")")))
        self.start([dnsdist, "--supervised", "--disable-syslog", "--config", config])
        wait_until(lambda: udp_port_is_taken(port), what="dnsdist listens")
        both = self.tunnel()
        for transport in TRANSPORTS:
            both.ctl("mapping", "add", transport, "--client", "home", "--udp", 0, "--to", f"127.0.0.1:{port}",
                     "--transport", transport, "--proxy-protocol", "v2")
            public = both.server.public_port(transport)
            for source, answer in (("127.44.5.6", "192.0.2.7"), ("127.44.5.7", "")):
                done = run([dig, "-r", "-b", source, "@127.0.0.1", "-p", public, "+short", "+tries=10", "+time=1", "home.test"])
                self.assertEqual((done.returncode, done.stdout.strip()), (0, answer), done.stdout + done.stderr)


class Iperf(Udp):
    def test_a_sweep_of_sizes_and_rates(self):
        iperf = tool("iperf3")
        service, public = free_port(), free_port()
        self.start([iperf, "-s", "-B", "127.0.0.1", "-p", str(service)])
        for transport, _ in self.both_transports(free_port()):
            # iperf3 speaks TCP and UDP on one port.
            for protocol, more in (("tcp", []), ("udp", ["--transport", transport])):
                self.both.ctl("mapping", "add", f"iperf-{protocol}", "--client", "home", f"--{protocol}", public, "--to",
                              f"127.0.0.1:{service}", *more)
                self.both.server.public_port(f"iperf-{protocol}")
            for size, rate in ((100, "1M"), (1200, "10M"), (1460, "20M"), (8000, "20M")):
                result = self.measure(iperf, public, size, rate)
                self.assertGreater(result["packets"], 50)
            for protocol in ("tcp", "udp"):
                self.both.ctl("mapping", "remove", f"iperf-{protocol}")

    def measure(self, iperf: str, port: int, size: int, rate: str) -> dict:
        """A second of it that lost next to nothing. On a machine that does something else meanwhile UDP loses what the
        receiver was too late for, so it is tried again; a way that does not carry this size never gets there."""
        def attempt():
            done = run([iperf, "-c", "127.0.0.1", "-p", str(port), "-u", "-l", str(size), "-b", rate, "-t", "1", "-J"],
                       deadline=30)
            if done.returncode != 0:
                raise AssertionError(done.stdout[-600:] + done.stderr)
            result = json.loads(done.stdout)["end"]["sum"]
            if result["lost_percent"] >= 10:
                raise AssertionError(result)
            return result
        return wait_until(attempt, 30, f"iperf3 with {size} bytes at {rate}")


class WireGuard(TunnelTest):
    """Hosts A and B are network namespaces; a third one between them runs both ends of our tunnel:
    A (10.77.1.2) - server (10.77.1.1) = client (10.77.2.1) - B (10.77.2.2)."""

    prefix: list[str] = []

    def start(self, argv, **options):
        return super().start([*self.prefix, *argv], **options)

    def setUp(self):
        super().setUp()
        if not is_root():
            raise unittest.SkipTest("network namespaces need root")
        if not os.path.exists("/dev/net/tun"):
            raise unittest.SkipTest("this machine has no /dev/net/tun")
        self.ip, self.wg, self.iperf = tool("ip"), tool("wg"), tool("iperf3")
        self.wireguard = tool("wireguard-go")
        self.mark = f"tu{os.getpid() % 100000}"
        self.spaces = {name: f"{self.mark}{name}" for name in "amb"}
        for space in self.spaces.values():
            self.do("netns", "add", space)
            self.addCleanup(run, [self.ip, "netns", "del", space])
            self.in_space(space, "link", "set", "lo", "up")
        for side, net in (("a", 1), ("b", 2)):
            host, middle = self.spaces[side], self.spaces["m"]
            self.do("link", "add", "eth0", "netns", host, "type", "veth", "peer", "name", f"eth{net}", "netns", middle)
            self.in_space(host, "address", "add", f"10.77.{net}.2/24", "dev", "eth0")
            self.in_space(middle, "address", "add", f"10.77.{net}.1/24", "dev", f"eth{net}")
            self.in_space(host, "link", "set", "eth0", "up")
            self.in_space(middle, "link", "set", f"eth{net}", "up")
        # A line between the hosts that goes past us, to see first that WireGuard works here.
        self.do("link", "add", "eth9", "netns", self.spaces["a"], "type", "veth", "peer", "name", "eth9", "netns",
                self.spaces["b"])
        for side, last in (("a", 1), ("b", 2)):
            self.in_space(self.spaces[side], "address", "add", f"10.77.9.{last}/24", "dev", "eth9")
            self.in_space(self.spaces[side], "link", "set", "eth9", "up")
        self.interfaces = {side: self.device(side, address) for side, address in (("a", "10.99.0.1"), ("b", "10.99.0.2"))}

    def do(self, *words):
        """What the network of this test is made of; nothing of ours takes part."""
        done = run([self.ip, *words])
        if done.returncode != 0:
            raise unittest.SkipTest(f"this machine cannot `ip {' '.join(words)}`: {done.stderr.strip()}")

    def in_space(self, space: str, *words):
        self.do("-n", space, *words)

    def at(self, side: str) -> list[str]:
        return [self.ip, "netns", "exec", self.spaces[side]]

    def key(self, name: str) -> tuple[str, str]:
        """A private key's file, and the public key."""
        private = run([self.wg, "genkey"]).stdout
        return self.write(name, private, 0o600), run([self.wg, "pubkey"], input=private).stdout.strip()

    def device(self, side: str, address: str):
        """A WireGuard interface in a host's namespace, by wireguard-go where the kernel has none."""
        name = f"{self.mark}{side}"
        if run([self.ip, "-n", self.spaces[side], "link", "add", name, "type", "wireguard"]).returncode != 0:
            self.prefix = self.at(side)
            process = self.start([self.wireguard, "-f", name], env={"WG_I_PREFER_BUGGY_USERSPACE_TO_POLISHED_KMOD": "1"})
            self.prefix = []
            try:
                wait_until(lambda: run([*self.at(side), self.wg, "show", name]).returncode == 0, what="wireguard-go runs")
            except AssertionError:
                raise unittest.SkipTest(f"wireguard-go does not run here: {process.err.text()[-300:]}") from None
        self.in_space(self.spaces[side], "address", "add", f"{address}/24", "dev", name)
        return name

    def configure(self, side: str, *words):
        name = self.interfaces[side]
        done = run([*self.at(side), self.wg, "set", name, *words])
        self.assertEqual(done.returncode, 0, done.stderr)
        self.in_space(self.spaces[side], "link", "set", name, "up")

    def transfer(self, what: str):
        """What iperf3 moved from A to B through WireGuard in two seconds."""
        def attempt():
            done = run([*self.at("a"), self.iperf, "-c", "10.99.0.2", "-t", "2", "-J", "--connect-timeout", "3000"])
            if done.returncode != 0:
                raise AssertionError(done.stdout[-400:] + done.stderr)
            return json.loads(done.stdout)["end"]["sum_received"]
        return wait_until(attempt, 30, what)

    def test_a_wireguard_tunnel_leads_through_ours(self):
        key_a, public_a = self.key("a.key")
        key_b, public_b = self.key("b.key")
        self.configure("b", "private-key", key_b, "listen-port", "51820", "peer", public_a, "allowed-ips", "10.99.0.1/32")
        self.configure("a", "private-key", key_a, "peer", public_b, "allowed-ips", "10.99.0.2/32", "endpoint",
                       "10.77.9.2:51820", "persistent-keepalive", "5")
        self.prefix = self.at("b")
        self.start([self.iperf, "-s", "-B", "10.99.0.2"])
        self.prefix = []
        try:
            self.transfer("bytes through WireGuard alone")
        except AssertionError as why:
            raise unittest.SkipTest(f"WireGuard does not work here, even without us: {why}") from None

        self.prefix = self.at("m")
        both = Tunnel(self, server={"bind": ["10.77.1.1"]}, mappings=[
            # WireGuard is encrypted end to end already.
            {"name": "wireguard", "udp": 51820, "to": "10.77.2.2:51820", "encrypt": False}])
        both.server.public_port("wireguard")
        self.prefix = []
        # B follows: WireGuard answers where it was last spoken to from.
        self.configure("a", "peer", public_b, "endpoint", "10.77.1.1:51820")
        self.in_space(self.spaces["a"], "link", "set", "eth9", "down")
        moved = self.transfer("bytes through WireGuard through the tunnel")
        self.assertGreater(moved["bytes"], 100_000)
        shown = both.ctl.mapping("wireguard")
        self.assertEqual(shown["datagrams_by"], "datagram")
        # iperf3's receiver leaves what is under way at the end.
        self.assertGreater(shown["bytes_in"], moved["bytes"])
        self.assertEqual(shown["visitors"], 1)
        print(f"WireGuard through the tunnel: {moved['bits_per_second'] / 1e6:.0f} Mbit/s", flush=True)


if __name__ == "__main__":
    main()
