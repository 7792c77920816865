"""The bars: what both ends of the tunnel together have to reach, most of it beside the pair of HAProxy hops that does
the same work."""

import dataclasses
import statistics

from bench.cases import Settings
from bench.results import REFERENCES
from bench.subjects.base import DATAGRAMS, ENCRYPTED, PLAIN
from bench.subjects.own import (Tunnel, TunnelDatagram, TunnelEncrypted, TunnelEncryptedLimited, TunnelEncryptedLists,
                                TunnelLimited, TunnelLists, TunnelLossy, TunnelProxied, TunnelStream)

ROUNDS_WANTED = 5
KINDS = (PLAIN, ENCRYPTED)
OWN = {PLAIN: Tunnel, ENCRYPTED: TunnelEncrypted}
LISTS = {PLAIN: TunnelLists, ENCRYPTED: TunnelEncryptedLists}
LIMITED = {PLAIN: TunnelLimited, ENCRYPTED: TunnelEncryptedLimited}


@dataclasses.dataclass(frozen=True)
class Bar:
    """unit: "x" is a multiple of the reference's value in the same round, any other is the tunnel's own value.
    beside: another tunnel by kind, whose value is told as a multiple of the tunnel's as it is by default.
    """

    case_name: str
    key: str
    work: str
    what: str
    at_least: bool
    plain: float | None             # None: there is no such bar
    encrypted: float | None
    unit: str = "x"
    own: dict | None = None         # kind -> the subject's name, where it is not the usual one
    reference: str | None = None    # likewise, of both kinds
    beside: dict | None = None

    def limit(self, kind):
        return self.plain if kind == PLAIN else self.encrypted

    def limit_text(self, kind):
        return f"{'>=' if self.at_least else '<='} {self.value_text(self.limit(kind))}"

    def value_text(self, value):
        return f"{value:.2f}x" if self.unit == "x" else f"{value:.1f} {self.unit}"


@dataclasses.dataclass(frozen=True)
class Verdict:
    """How one bar was met: the value of each round that counts, and what follows (None: nothing was measured)."""

    values: list
    median: float | None
    reached: bool | None


def _throughput(case_name, work, plain, encrypted):
    return Bar(case_name, "mb_per_second", work, "throughput", True, plain, encrypted)


def _cpu_per_gb(case_name, work, plain, encrypted):
    return Bar(case_name, "cpu_per_gb", work, "CPU per GB", False, plain, encrypted)


def _datagrams(case_name, key, work, what, at_least, plain, encrypted, unit="x"):
    """Plain ones by stream, encrypted ones as datagrams, beside two nginx hops."""
    own = {PLAIN: TunnelStream.name, ENCRYPTED: TunnelDatagram.name}
    return Bar(case_name, key, work, what, at_least, plain, encrypted, unit, own, REFERENCES[DATAGRAMS])


BARS = (
    _throughput("bulk1", "bulk, 1 stream", 1.7, 1.3),
    _cpu_per_gb("bulk1", "bulk, 1 stream", 0.40, 0.75),
    _throughput("bulk8", "bulk, 8 streams", 1.6, 1.3),
    _cpu_per_gb("bulk8", "bulk, 8 streams", 0.35, 0.75),
    _throughput("http10", "10 users x 100 MB over HTTP", 1.8, 1.3),
    _cpu_per_gb("http10", "10 users x 100 MB over HTTP", 0.40, 0.75),
    Bar("rr", "per_second", "request/response, 32 kept alive", "requests/s", True, 1.05, 1.05),
    Bar("rr", "cpu_us", "request/response, 32 kept alive", "CPU per request", False, 0.9, 0.9),
    Bar("connect", "per_second", "new connections", "connections/s", True, 0.95, 3),
    Bar("connect", "cpu_us", "new connections", "CPU per connection", False, 1.1, 0.35),
    Bar("firstbyte", "p50_us", "connect to first byte", "p50", False, 1.0, 0.3),
    Bar("idle", "pss_kib", "idle connection", "memory of both ends", False, 3, 4, "KiB"),
    Bar("idle", "rest_rss_mib", "at rest", "RSS of both ends", False, 14, 16, "MiB"),
    _datagrams("udp1200", "per_second", "1,200-byte datagrams", "round trips/s", True, 1.3, 1.1),
    _datagrams("udp1200", "cpu_us", "1,200-byte datagrams", "CPU per round trip", False, 0.75, 0.9),
    _datagrams("udp8000", "per_second", "8,000-byte datagrams", "round trips/s", True, 1.0, 1.0),
    _datagrams("udp8000", "lost_percent", "8,000-byte datagrams", "lost", False, 0, 0, "%"),
    Bar("udp1200", "p99_us", "1,200-byte datagrams, 10 % of packets lost", "p99 beside none lost", False, None, 1.2,
        own={ENCRYPTED: TunnelProxied.name}, beside={ENCRYPTED: TunnelLossy}),
    Bar("connect", "per_second", "new connections, 100,000 list entries", "connections/s beside none", True, 0.98, 0.98,
        beside=LISTS),
    Bar("connect", "cpu_us", "new connections, 100,000 list entries", "CPU beside none", False, 1.02, 1.02, beside=LISTS),
    Bar("bulk1", "mb_per_second", "bulk, bandwidth above the line rate", "throughput beside none", True, 0.95, 0.95,
        beside=LIMITED),
)


def judge(results, bar, kind):
    limit = bar.limit(kind)
    if limit is None:
        return None
    own = bar.own[kind] if bar.own else OWN[kind].name
    if bar.beside:
        values = results.quotients(bar.case_name, bar.beside[kind].name, own, bar.key)
    elif bar.unit == "x":
        values = results.quotients(bar.case_name, own, bar.reference or results.references.get(kind), bar.key)
    else:
        values = results.rounds(bar.case_name, own, bar.key)
    if not values:
        return Verdict([], None, None)
    median = statistics.median(values)
    return Verdict(values, median, median >= limit if bar.at_least else median <= limit)


def table(results):
    """(title, header, rows, notes): the first two columns are words."""
    header = ["", ""]
    for kind in KINDS:
        header += [kind, "rounds", "bar", "reached"]
    rows, verdicts = [], []
    for bar in BARS:
        row = [bar.work, bar.what]
        for kind in KINDS:
            verdict = judge(results, bar, kind)
            verdicts += [verdict] if verdict else []
            row += _cells(bar, kind, verdict)
        rows.append(row)
    against = " and ".join(f"{results.references.get(kind, '-')} ({kind})" for kind in KINDS)
    against += f"; datagrams against {REFERENCES[DATAGRAMS]}"
    return f"bars: both ends of the tunnel against {against}", header, rows, _notes(verdicts) + _smaller(results)


def _cells(bar, kind, verdict):
    if verdict is None:
        return ["-", "-", "-", "-"]
    if verdict.median is None:
        return ["-", "-", bar.limit_text(kind), "not measured"]
    rounds = f"{min(verdict.values):.2f} to {max(verdict.values):.2f}" if len(verdict.values) > 1 else "-"
    return [bar.value_text(verdict.median), rounds, bar.limit_text(kind), "yes" if verdict.reached else "NO"]


def _notes(verdicts):
    judged = [verdict for verdict in verdicts if verdict.reached is not None]
    notes = [f"reached: {sum(verdict.reached for verdict in judged)} of {len(verdicts)} bars"
             + (f", {len(verdicts) - len(judged)} not measured" if len(judged) < len(verdicts) else "")]
    fewest = min((len(verdict.values) for verdict in judged), default=0)
    if judged and fewest < ROUNDS_WANTED:
        notes.append(f"a bar asks for at least {ROUNDS_WANTED} rounds; the fewest behind one here: {fewest}")
    return notes


def _smaller(results):
    """A note when this run did less than what the bars are about, as --quick does."""
    meant = Settings()
    for case in results.cases:
        for name in ("users", "file_bytes", "idle_connections"):
            if getattr(case.settings, name) != getattr(meant, name):
                return [f"a bar means {meant.users} users x {meant.file_bytes // 1_000_000} MB and "
                        f"{meant.idle_connections} idle connections; this run had {case.settings.users} x "
                        f"{case.settings.file_bytes // 1_000_000} MB and {case.settings.idle_connections}"]
    return []
