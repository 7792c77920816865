"""The command line of run.py."""

import argparse
import dataclasses
import os
import resource
import signal
import sys
import tempfile
from pathlib import Path

from bench import chart, machine, report, saved
from bench.cases import CASES, Settings
from bench.failure import Failure
from bench.processes import Processes
from bench.results import REFERENCES
from bench.runner import Runner
from bench.subjects import SUBJECTS
from bench.subjects.base import PLAIN
from bench.workspace import Workspace

ROOT = Path(__file__).resolve().parents[3]
QUICK = Settings(seconds=0.3, rounds=1, users=4, file_bytes=5_000_000, idle_connections=200, settle_seconds=0.2)


def main(argv=None):
    options = _parse(argv)
    try:
        run, interrupted = (_saved(options), False) if options.saved else _measured(options)
        _print(options, run)
    except (Failure, OSError) as error:
        print(f"run.py: {error}", file=sys.stderr)
        return 1
    if interrupted:
        print("interrupted: the medians are of the rounds so far", file=sys.stderr)
        return 130
    return 1 if run.results.failures() else 0


def _saved(options):
    text = options.saved.read_text(encoding="utf-8")
    return saved.from_text(text, options.peers, options.cases, {PLAIN: options.against} if options.against else None)


def _measured(options):
    """The run, and whether it was interrupted."""
    settings, connections_note = _settings(options)
    case_names = options.cases or [case.name for case in CASES]
    references = {**REFERENCES, PLAIN: options.against or REFERENCES[PLAIN]}
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with tempfile.TemporaryDirectory(prefix="tunnel-bench-") as folder, Processes(folder) as processes:
        os.chmod(folder, 0o755)  # daemons that drop their privileges have to get in
        workspace = Workspace(folder, processes, options.build, os.environ.get("PEERS_BIN"), options.io_uring_bin)
        subjects, skipped = _choose(options.peers, workspace)
        for line in skipped + connections_note + machine.warnings(workspace):
            print(f"note: {line}", file=sys.stderr)
        facts = machine.facts(workspace)
        print(f"about {_minutes(settings, subjects, case_names):.0f} minutes", file=sys.stderr)
        runner = Runner(workspace, settings, subjects, case_names, references)
        interrupted = False
        try:
            runner.run()
        except KeyboardInterrupt:
            interrupted = True
    return saved.Run(facts, settings, skipped, runner.results), interrupted


def _print(options, run):
    lines = [f"{name}: {value}" for name, value in run.facts.items()]
    lines.append(f"medians of {run.settings.rounds} interleaved rounds of {run.settings.seconds:g} s; "
                 "ratio: times better than 'against', above 1 is better")
    lines += [f"skipped: {line}" for line in run.skipped]
    if options.markdown:
        parts = ["\n".join(f"- {line}" for line in lines) + "\n", report.as_markdown(run.results)]
        parts += [report.bars_as_markdown(run.results)] if options.bars else []
    else:
        parts = ["\n".join(lines) + "\n", report.as_text(run.results)]
        parts += [report.bars_as_text(run.results)] if options.bars else []
    print("\n".join(parts))
    if options.json:
        Path(options.json).write_text(saved.as_text(run), encoding="utf-8")
    if options.chart:
        options.chart.write_text(chart.draw(run), encoding="utf-8")


def _settings(options):
    """The settings, and a note when the descriptor limit makes the idle case smaller."""
    settings = QUICK if options.quick else Settings()
    given = {name: getattr(options, name) for name in ("seconds", "rounds") if getattr(options, name) is not None}
    settings = dataclasses.replace(settings, **given)
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    # A relay holds two descriptors a connection (a multiplexing one fewer), and some for itself.
    possible = max((hard - 500) // 2, 10) if hard != resource.RLIM_INFINITY else settings.idle_connections
    if possible < settings.idle_connections:
        note = f"RLIMIT_NOFILE is {hard}, so only {possible} idle connections are opened"
        return dataclasses.replace(settings, idle_connections=possible), [note]
    return settings, []


def _minutes(settings, subjects, case_names):
    """Roughly: a case takes its seconds, http10 and idle what the machine needs, and each a start now and then."""
    one = sum(6 if name in ("http10", "idle") else settings.seconds + 0.5 for name in case_names)
    return settings.rounds * len(subjects) * one / 60


def _choose(names, workspace):
    """The subjects that can run, and a line for each of those asked for that cannot."""
    subjects, skipped = [], []
    for subject in SUBJECTS:
        if names is None or subject.name in names:
            reason = subject.missing(workspace)
            if reason is None:
                subjects.append(subject)
            else:
                skipped.append(f"{subject.name}: {reason}")
    return subjects, skipped


def _list_of(known):
    def parse(text):
        names = [name for name in text.replace(",", " ").split() if name]
        for name in names:
            if name not in known:
                raise argparse.ArgumentTypeError(f"'{name}' is none of {' '.join(known)}")
        return names
    return parse


def _parse(argv):
    parser = _parser()
    options = parser.parse_args(argv)
    if options.saved:
        for name in ("rounds", "seconds", "quick", "json", "io_uring_bin"):
            if getattr(options, name):
                parser.error(f"--{name.replace('_', '-')} is for a measurement, --from for one that has been made")
    return options


def _parser():
    cases = [case.name for case in CASES]
    subjects = [subject.name for subject in SUBJECTS]
    parser = argparse.ArgumentParser(
        prog="run.py", description="Measures the tunnel beside HAProxy, nginx, ssh -R and other tunnels.",
        epilog="PEERS_BIN: a folder with frps, frpc, rathole, chisel, bore; those found there are measured too.")
    parser.add_argument("--build", type=Path, default=ROOT / "build" / "release",
                        help="the build folder with bin/ and tests/bench/bench-load (default: build/release)")
    parser.add_argument("--io-uring-bin", type=Path, metavar="DIR",
                        help="a folder with our three programs, built with -DTUNNEL_IO_URING=ON: measured too")
    parser.add_argument("--rounds", type=_positive(int), help="interleaved rounds (default 5)")
    parser.add_argument("--seconds", type=_positive(float), help="length of one measurement (default 3)")
    parser.add_argument("--quick", action="store_true",
                        help="one short round: shows that everything works, the numbers mean little")
    parser.add_argument("--cases", type=_list_of(cases), help=f"some of: {','.join(cases)}")
    parser.add_argument("--peers", type=_list_of(subjects), help=f"some of: {','.join(subjects)}")
    parser.add_argument("--against", choices=subjects, metavar="NAME",
                        help=f"what plain subjects are compared with (default {REFERENCES[PLAIN]})")
    parser.add_argument("--json", metavar="FILE", help="also write everything, each round's value too, as JSON")
    parser.add_argument("--from", dest="saved", type=Path, metavar="FILE",
                        help="measure nothing: tell again what --json wrote")
    parser.add_argument("--bars", action="store_true",
                        help="also print the bars: ours against the pairs of HAProxy hops, and what has to be reached")
    parser.add_argument("--chart", type=Path, metavar="FILE.svg", help="also draw a chart of the medians")
    parser.add_argument("--markdown", action="store_true", help="print Markdown tables")
    return parser


def _positive(kind):
    def parse(text):
        value = kind(text)
        if value <= 0:
            raise argparse.ArgumentTypeError("must be above 0")
        return value
    return parse
