"""Fails when a test stands in the tree that ctest does not run: check_registered.py SOURCE BUILD CTEST."""

import json
import os
import pathlib
import re
import subprocess
import sys


def main() -> int:
    source, build, ctest = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]), sys.argv[3]
    shown = json.loads(subprocess.run([ctest, "--test-dir", str(build), "--show-only=json-v1"], check=True,
                                      capture_output=True, text=True).stdout)
    commands = [test["command"] for test in shown["tests"] if "command" in test]
    # A test program that is not built yet is listed as NAME_NOT_BUILT, without a command.
    names = {test["name"] for test in shown["tests"]}
    programs = {os.path.basename(command[0]) for command in commands}
    compiled = {}
    for entry in json.loads((build / "compile_commands.json").read_text()):
        found = re.search(r"CMakeFiles/([^/]+)\.dir/", entry.get("output", "") or entry["command"])
        compiled[pathlib.Path(entry["file"]).resolve()] = found.group(1) if found else ""

    missing = []
    tests = source / "tests"
    for file in sorted(tests.rglob("*_test.cpp")):
        target = compiled.get(file)
        if target is None:
            missing.append(f"{file.relative_to(source)}: no CMake target compiles it")
        elif target not in programs and f"{target}_NOT_BUILT" not in names:
            missing.append(f"{file.relative_to(source)}: its program {target} is no test of ctest")
    for file in sorted(tests.rglob("test_*.py")):
        if not any(file.stem in command or str(file) in command for command in commands):
            missing.append(f"{file.relative_to(source)}: no test of ctest runs it")
    for line in missing:
        print(line)
    if not missing:
        print(f"every test file under {tests} is registered")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
