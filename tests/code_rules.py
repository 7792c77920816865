#!/usr/bin/env python3
"""Rules of this code base that a compiler does not check, run as a test. Prints each breach as FILE:LINE: what."""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
PRODUCT = ("common", "tunnel-server", "tunnel-client")
LONGEST_FILE = 450

# GCC 12 miscompiles these; see common/net/asio.hpp.
AWAIT_IN_CONDITION = re.compile(r"\b(if|while|switch)\s*\((?:[^();]|\([^()]*\))*\bco_await\b")
LAMBDA_IN_AWAIT = re.compile(r"\bco_await\b[^;]*\[[\w&=, .*()]*\]\s*[({]")


def sources(*folders):
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix in (".cpp", ".hpp"):
                yield path


def without_comments(text):
    return re.sub(r"//[^\n]*", "", text)


def breaches():
    for path in sources(*PRODUCT, "tests"):
        text = path.read_text()
        name = path.relative_to(ROOT)
        lines = text.count("\n")
        if lines > LONGEST_FILE:
            yield f"{name}:{lines}: longer than {LONGEST_FILE} lines: is there a second idea inside?"
        code = without_comments(text)
        for pattern, what in ((AWAIT_IN_CONDITION, "co_await in a condition"), (LAMBDA_IN_AWAIT, "a lambda made inside a co_await expression")):
            for found in pattern.finditer(code):
                yield f"{name}:{code.count(chr(10), 0, found.start()) + 1}: {what} (see common/net/asio.hpp)"
    for path in sources(*PRODUCT):
        code = without_comments(path.read_text())
        name = path.relative_to(ROOT)
        if "asio::detached" in code:
            yield f"{name}:1: detached work: spawn it in a TaskGroup"
    for path in sources("common/core", "common/wire", "common/tls", "common/config", "common/mapping"):
        if re.search(r'#include [<"](asio|common/net/(?!unique_fd))', path.read_text()):
            yield f"{path.relative_to(ROOT)}:1: this folder does no I/O and includes neither Asio nor net"
    for end, other in (("tunnel-server", "tunnel-client"), ("tunnel-client", "tunnel-server")):
        for path in sources(end):
            if f'#include "{other}/' in path.read_text():
                yield f"{path.relative_to(ROOT)}:1: one end includes a file of the other"


def main():
    found = list(breaches())
    for breach in found:
        print(breach)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
