"""README.md tells the truth: its commands exist, its options exist, its examples run."""

import os
import re
import shlex
import unittest

from harness import TunnelTest, main, run, tunnel_binary, wait_until

SOURCE = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
README = os.path.join(SOURCE, "README.md")
PROGRAMS = ("tunnel-server", "tunnel-client", "tunnelctl")
BLOCK = re.compile(r"^```(\w+)[^\n]*\n(.*?)^```", re.M | re.S)
LINK_PLACE = re.compile(r"tunnel://[^\s'\"]*")


def readme() -> str:
    if not os.path.exists(README):
        raise unittest.SkipTest("there is no README.md")
    with open(README) as file:
        return file.read()


def blocks(*languages: str) -> list[str]:
    return [body for language, body in BLOCK.findall(readme()) if language in languages]


def console_commands() -> list[str]:
    """The lines that a reader types: those after "$ " or "# " in ```console blocks, continued lines joined."""
    commands = []
    for body in blocks("console"):
        body = body.replace("\\\n", " ")
        for line in body.splitlines():
            if line.startswith("$ "):
                commands.append(re.sub(r"\s+#\s.*$", "", line[2:]).strip())
    return commands


def words_of(command: str) -> list[str]:
    words = shlex.split(command)
    return words[1:] if words and words[0] == "sudo" else words


def verbs_of(words: list[str]) -> list[str]:
    """The leading words of a tunnel command that name its verb: ["mapping", "add"]."""
    depth = 2 if words[0].endswith("tunnelctl") and words[1:2] != ["status"] else 1
    plain = [word for word in words[1:] if not word.startswith("-")]
    return plain[:depth]


class Commands(TunnelTest):
    def test_every_option_of_a_command_is_in_its_help(self):
        commands = [words_of(command) for command in console_commands()]
        ours = [words for words in commands if words and os.path.basename(words[0]) in PROGRAMS]
        self.assertTrue(ours, "README.md shows no command of the product in a ```console block")
        for words in ours:
            program = os.path.basename(words[0])
            done = run([tunnel_binary(program), *verbs_of(words), "--help"])
            self.assertEqual(done.returncode, 0, f"{words}: {done.stderr}")
            general = run([tunnel_binary(program), "--help"]).stdout
            for word in words[1:]:
                if word.startswith("--"):
                    self.assertIn(word.split("=")[0], done.stdout + general, words)

    def test_every_script_that_it_names_exists(self):
        for path in set(re.findall(r"(?<![\w/.])(?:\./)?((?:deploy|tests|\.ci)/[\w./-]+)", readme())):
            self.assertTrue(os.path.exists(os.path.join(SOURCE, path.rstrip("."))), path)
        for command in console_commands():
            words = words_of(command)
            if words and words[0].startswith("./"):
                script = os.path.join(SOURCE, words[0])
                self.assertTrue(os.access(script, os.X_OK), words[0])
                options = [word for word in words[1:] if word.startswith("--")]
                if script.endswith(".sh") and options:
                    usage = run(["bash", script, "--help"]).stdout
                    for option in options:
                        self.assertIn(option, usage, command)

    def test_links_to_files_lead_somewhere(self):
        for target in re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", readme()):
            self.assertTrue(os.path.exists(os.path.join(SOURCE, target)), target)

    def test_config_examples_are_valid(self):
        examples = blocks("toml")
        for number, body in enumerate(examples):
            # A server's config names files that init makes.
            server = os.path.join(self.folder, f"server-{number}")
            self.assertEqual(run([tunnel_binary("tunnel-server"), "init", "--dir", server]).returncode, 0)
            self.write(os.path.join(server, "server.toml"), body)
            client = self.write(f"{number}/client.toml", self.with_real_link(body), 0o600)
            checked = [run([tunnel_binary("tunnel-server"), "check", "--dir", server]),
                       run([tunnel_binary("tunnel-client"), "check", "--config", client], env={"HOME": self.folder})]
            self.assertIn(0, [done.returncode for done in checked],
                          f"neither a server.toml nor a client.toml:\n{body}\n{checked[0].stderr}\n{checked[1].stderr}")

    def with_real_link(self, text: str) -> str:
        link = f"tunnel://home:{'A' * 43}@vps.example.com:7000?pin={'B' * 42}A"
        if LINK_PLACE.search(text):
            return LINK_PLACE.sub(link, text)
        return f'link = "{link}"\n' + text


class Guide(TunnelTest):
    """The steps of the guide, in the README's order, on this machine: each with a folder of its own and free ports."""

    def test_the_steps_work_in_their_order(self):
        commands = [words_of(command) for command in console_commands()]
        steps = [words for words in commands if words and os.path.basename(words[0]) in PROGRAMS and len(words) > 1]
        if not steps:
            self.skipTest("README.md shows no steps")
        host = None
        link = None
        names_seen = set()
        client = self.client()
        for words in steps:
            program, verb = os.path.basename(words[0]), verbs_of(words)
            if (program, verb) == ("tunnel-server", ["init"]) and host is None:
                host = self.server()
            elif (program, verb) == ("tunnel-server", ["run"]) and host and host.process is None:
                host.start()
            elif program == "tunnelctl" and host and host.process:
                link = self.admin_step(host, words, verb, names_seen) or link
            elif (program, verb[:1]) == ("tunnel-client", ["join"]) and link and "link" not in client.settings:
                done = client.run("join", input=link)
                self.assertEqual(done.returncode, 0, done.stderr)
                client.settings["link"] = link
            elif (program, verb[:1]) == ("tunnel-client", ["expose"]) and "link" in client.settings:
                self.expose_step(client, words)
        self.assertIsNotNone(host, "the guide never says tunnel-server init")
        self.assertIsNotNone(link, "the guide never says tunnelctl client add")

    def admin_step(self, host, words, verb, names_seen) -> str | None:
        if verb == ["client", "add"] and words[3] not in names_seen:
            names_seen.add(words[3])
            return host.ctl.add_client(*words[3:])
        if verb == ["mapping", "add"] and words[words.index("--client") + 1] in names_seen:
            arguments = list(words[1:])
            arguments[arguments.index("--tcp") + 1] = "0"
            host.ctl(*arguments)
            names_seen.add(words[3])
        elif verb[-1:] == ["list"] or verb == ["status"]:
            host.ctl(*verb)
        elif verb[-1:] in (["show"], ["pause"], ["resume"], ["set"]) and words[3] in names_seen:
            host.ctl(*words[1:])
        return None

    def expose_step(self, client, words):
        arguments = list(words[2:])
        if "--port" in arguments:
            arguments[arguments.index("--port") + 1] = "0"
        process = client.launch("expose", *arguments).process
        wait_until(lambda: "tcp://" in process.out.text(), 20, " ".join(words))
        self.assertEqual(process.stop(), 0)


if __name__ == "__main__":
    main()
