"""What failed in ctest's last run, in short: the end of each failed test's output. Usage: failed_tests.py BUILD_FOLDER"""

import pathlib
import re
import sys

LINES = 30
# How ctest writes a test into its log.
ENTRY = re.compile(r"^\d+/\d+ Testing: (?P<name>.+?)$.*?^Output:\n-+\n(?P<output>.*?)^<end of output>\n"
                   r".*?^-+\nTest (?P<verdict>\w+)", re.MULTILINE | re.DOTALL)


def main() -> None:
    log = pathlib.Path(sys.argv[1], "Testing", "Temporary", "LastTest.log")
    for entry in ENTRY.finditer(log.read_text(errors="replace")):
        if entry["verdict"] == "Failed":
            lines = entry["output"].splitlines()
            print(f"== {entry['name']} failed; its output ends with:", *lines[-LINES:], sep="\n  ")


if __name__ == "__main__":
    main()
