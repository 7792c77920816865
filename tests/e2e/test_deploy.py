"""What an installation consists of: programs, systemd units that systemd accepts, sample configs."""

import os
import re
import shutil

from harness import TunnelTest, main, run, tool, tunnel_binary

SOURCE = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
UNITS = ("tunnel-server.service", "tunnel-client.service")


class Installation(TunnelTest):
    def setUp(self):
        super().setUp()
        self.prefix = self.path("prefix")
        done = run([tool("cmake"), "--install", os.environ["TUNNEL_BUILD"], "--prefix", self.prefix], deadline=60)
        self.assertEqual(done.returncode, 0, done.stderr)

    def unit(self, name: str) -> str:
        with open(f"{self.prefix}/lib/systemd/system/{name}") as file:
            return file.read()

    def test_has_programs_units_and_samples(self):
        for program in ("tunnel-server", "tunnel-client", "tunnelctl"):
            done = run([f"{self.prefix}/bin/{program}", "--help"])
            self.assertEqual(done.returncode, 0, done.stderr)
        for unit in UNITS:
            text = self.unit(unit)
            self.assertNotIn("@CMAKE", text)
            self.assertRegex(text, rf"(?m)^ExecStart=/\S+/{unit.split('.')[0]} run$")
        self.assertTrue(os.path.exists(f"{self.prefix}/lib/sysusers.d/tunnel.conf"))
        samples = [name for _, _, names in os.walk(f"{self.prefix}/share/doc") for name in names if name.endswith(".toml")]
        wanted = os.listdir(os.path.join(SOURCE, "deploy", "samples"))
        self.assertEqual(sorted(samples), sorted(name for name in wanted if name.endswith(".toml")))

    def test_systemd_accepts_the_units(self):
        analyze = tool("systemd-analyze")
        folder = self.make_folder("units")
        for unit in UNITS:
            text = self.unit(unit)
            # systemd looks for the program; the installation under test stands elsewhere than its configured prefix.
            text = re.sub(r"(?m)^ExecStart=/\S+/", f"ExecStart={self.prefix}/bin/", text)
            text = text.replace("User=tunnel\nGroup=tunnel", "User=daemon\nGroup=daemon")
            with open(os.path.join(folder, unit), "w") as file:
                file.write(text)
        done = run([analyze, "verify", "--man=no", *(os.path.join(folder, unit) for unit in UNITS)])
        complaints = [line for line in done.stderr.splitlines() if any(unit in line for unit in UNITS)]
        self.assertEqual((done.returncode, complaints), (0, []), done.stderr)

    def test_unit_settings_are_known_and_strict(self):
        for unit in UNITS:
            text = self.unit(unit)
            for line in ("NoNewPrivileges=yes", "ProtectSystem=strict", "Restart=always", "User=tunnel",
                         "After=network-online.target"):
                self.assertIn(line, text)

    def test_samples_are_valid(self):
        folder = os.path.join(SOURCE, "deploy", "samples")
        names = [name for name in os.listdir(folder) if name.endswith(".toml")]
        self.assertTrue(names)
        host = self.server()  # the folder of a server, with its key and certificate
        for name in names:
            end = "server" if name.startswith("server") else "client"
            shutil.copy(os.path.join(folder, name), os.path.join(host.folder, f"{end}.toml"))
            done = run([tunnel_binary(f"tunnel-{end}"), "check", "--dir", host.folder])
            self.assertEqual(done.returncode, 0, f"{name}: {done.stderr}")


class Scripts(TunnelTest):
    def test_shell_scripts_parse(self):
        for script in ("deploy/quickstart.sh", "deploy/packages.sh", "tests/run.sh", ".ci/run"):
            done = run(["bash", "-n", os.path.join(SOURCE, script)])
            self.assertEqual(done.returncode, 0, done.stderr)

    def test_help_and_wrong_usage(self):
        for script in ("deploy/quickstart.sh", "tests/run.sh"):
            done = run(["bash", os.path.join(SOURCE, script), "--help"])
            self.assertEqual(done.returncode, 0)
            self.assertIn("Usage:", done.stdout)

    def test_nothing_is_installed_when_nothing_is_missing(self):
        done = run(["bash", "-c", "source deploy/packages.sh; apt-get() { echo called; }; install_packages bash coreutils"],
                   cwd=SOURCE)
        self.assertEqual((done.returncode, done.stdout), (0, ""), done.stderr)


if __name__ == "__main__":
    main()
