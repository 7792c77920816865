"""What the benchmark computes and parses: medians, ratios, turns, config edits; what it sees in /proc."""

import ctypes
import json
import os
import signal
import subprocess
import sys
import tempfile
import tomllib
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from bench import bars, procfs, report, saved  # noqa: E402
from bench.cases import CASES, Case, Metric, Settings  # noqa: E402
from bench.failure import Failure  # noqa: E402
from bench.processes import Processes  # noqa: E402
from bench.results import Results  # noqa: E402
from bench.runner import rotated  # noqa: E402
from bench.subjects import SUBJECTS  # noqa: E402
from bench.subjects.base import ENCRYPTED, PLAIN, Subject  # noqa: E402
from bench.subjects.own import PROGRAMS, TunnelEncryptedIoUring, TunnelIoUring, with_keys, with_port  # noqa: E402
from bench.workspace import Workspace  # noqa: E402


class Speed(Case):
    name = "speed"
    title = "a speed and a cost"
    metrics = (Metric("fast", "MB/s", True), Metric("cost", "CPU s/GB", False))


def subject(subject_name, subject_kind):
    class Made(Subject):
        name = subject_name
        title = f"the {subject_name}"
        kind = subject_kind
    return Made


REFERENCE, OWN, OTHER, NONE = (subject("haproxy", PLAIN), subject("tunnel", PLAIN), subject("ssh", ENCRYPTED),
                               subject("direct", None))


class ResultsTest(unittest.TestCase):
    def setUp(self):
        self.case = Speed(None, None)
        self.results = Results([NONE, OWN, REFERENCE, OTHER], [self.case])
        # The machine is twice as slow in the last round, for both of them.
        for number, (own, reference) in enumerate([(300, 100), (310, 100), (140, 50)]):
            self.results.add(number, self.case, OWN, {"fast": own, "cost": 1.0})
            self.results.add(number, self.case, REFERENCE, {"fast": reference, "cost": 2.0})
        self.results.add(0, self.case, OTHER, {"fast": 10, "cost": 0.0})

    def test_median_is_over_rounds(self):
        self.assertEqual(self.results.median("speed", "tunnel", "fast"), 300)
        self.assertIsNone(self.results.median("speed", "direct", "fast"))

    def test_ratio_is_the_median_of_the_rounds_ratios(self):
        self.assertAlmostEqual(self.results.ratio("speed", OWN, Speed.metrics[0]), 3.0)

    def test_ratio_above_one_is_better_for_costs_too(self):
        self.assertAlmostEqual(self.results.ratio("speed", OWN, Speed.metrics[1]), 2.0)

    def test_no_ratio_without_the_reference(self):
        self.assertIsNone(self.results.ratio("speed", OTHER, Speed.metrics[0]))
        self.assertIsNone(self.results.ratio("speed", NONE, Speed.metrics[0]))

    def test_a_round_that_one_of_them_lacks_is_left_out(self):
        self.results.add(3, self.case, OWN, {"fast": 1e9, "cost": 1.0})
        self.assertAlmostEqual(self.results.ratio("speed", OWN, Speed.metrics[0]), 3.0)

    def test_spread(self):
        self.assertAlmostEqual(self.results.spread("speed", "tunnel", "fast"), 170 / 300)
        self.assertIsNone(self.results.spread("speed", "ssh", "fast"))

    def test_tables(self):
        self.results.add_failure(1, self.case, OTHER, "it broke")
        for text in (report.as_text(self.results), report.as_markdown(self.results)):
            self.assertIn("x3.00", text)
            self.assertIn("the ssh", text)
            self.assertIn("failed: speed, ssh, round 2: it broke", text)
            self.assertNotIn("the direct", text)  # nothing measured, nothing failed: no row

    def test_everything_is_in_the_json(self):
        rows = self.results.as_dict()["rows"]
        own = [row for row in rows if row["subject"] == "tunnel" and row["metric"] == "fast"]
        self.assertEqual(own[0]["rounds"], [300, 310, 140])

    def test_what_was_saved_is_read_again_round_by_round(self):
        self.results.add(4, self.case, OWN, {"fast": 400})  # round 3 failed
        self.results.add(4, self.case, REFERENCE, {"fast": 100})
        self.results.add_failure(3, self.case, OWN, "it broke")
        again = Results([NONE, OWN, REFERENCE, OTHER], [self.case])
        again.add_dict(json.loads(json.dumps(self.results.as_dict())))
        self.assertEqual(again.as_dict(), self.results.as_dict())
        self.assertEqual(report.as_text(again), report.as_text(self.results))


class SavedTest(unittest.TestCase):
    def setUp(self):
        settings = Settings(rounds=2, users=3, file_bytes=5_000_000)
        subjects = [found for found in SUBJECTS if found.name in ("direct", "tunnel", "haproxy", "nginx")]
        cases = [case(None, settings) for case in CASES if case.name in ("bulk1", "http10")]
        results = Results(subjects, cases, {"plain": "nginx", "encrypted": "haproxy-tls"})
        for found, value in zip(subjects, (9.0, 4.0, 2.0, 1.0)):
            results.add(0, cases[0], found, {"mb_per_second": value, "cpu_per_gb": value})
            results.add(1, cases[1], found, {"mb_per_second": value})
        results.add_failure(0, cases[1], subjects[1], "it broke")
        self.run_made = saved.Run({"cpu": "fast"}, settings, ["bore: not there"], results)
        self.text = saved.as_text(self.run_made)

    def test_a_run_comes_back_whole(self):
        again = saved.from_text(self.text)
        self.assertEqual(saved.as_text(again), self.text)
        self.assertEqual(report.as_markdown(again.results), report.as_markdown(self.run_made.results))

    def test_only_some_of_it_and_another_reference(self):
        again = saved.from_text(self.text, ["tunnel", "haproxy"], ["bulk1"], {"plain": "haproxy"}).results
        self.assertEqual([found.name for found in again.subjects], ["tunnel", "haproxy"])
        self.assertEqual(again.failures(), [])
        self.assertEqual(again.ratio("bulk1", again.subjects[0], again.cases[0].metrics[0]), 2.0)

    def test_another_file_is_refused(self):
        for text in ("", "[]", "{}", '{"settings": {"speed": 1}}'):
            with self.assertRaisesRegex(Failure, "no file that --json wrote"):
                saved.from_text(text)


class BarsTest(unittest.TestCase):
    def setUp(self):
        self.subjects = [found for found in SUBJECTS if found.name in ("tunnel", "haproxy", "tunnel-encrypted")]
        self.results = Results(self.subjects, [case(None, Settings(rounds=3)) for case in CASES])

    def add(self, case_name, name, key, *values):
        case = next(case for case in CASES if case.name == case_name)
        for number, value in enumerate(values):
            self.results.add(number, case, next(found for found in self.subjects if found.name == name),
                             {key: value})

    def verdict(self, case_name, key, kind=PLAIN):
        bar = next(bar for bar in bars.BARS if (bar.case_name, bar.key) == (case_name, key))
        return bars.judge(self.results, bar, kind)

    def test_every_bar_is_of_something_that_is_measured(self):
        measured = {(case.name, metric.key) for case in CASES for metric in case.metrics}
        self.assertLessEqual({(bar.case_name, bar.key) for bar in bars.BARS}, measured)

    def test_a_multiple_is_ours_by_the_references_of_the_same_round(self):
        self.add("bulk1", "tunnel", "mb_per_second", 400, 150, 360)
        self.add("bulk1", "haproxy", "mb_per_second", 200, 100, 200)  # 2, 1.5 and 1.8 times
        self.add("bulk1", "tunnel", "cpu_per_gb", 0.4, 0.9, 0.5)
        self.add("bulk1", "haproxy", "cpu_per_gb", 1.0, 2.0, 1.0)
        self.assertEqual(self.verdict("bulk1", "mb_per_second"), bars.Verdict([2, 1.5, 1.8], 1.8, True))
        self.assertEqual(self.verdict("bulk1", "cpu_per_gb").median, 0.45)  # by medians it would be 0.5
        self.assertFalse(self.verdict("bulk1", "cpu_per_gb").reached)

    def test_a_bar_is_reached_when_it_is_met_exactly(self):
        self.add("firstbyte", "tunnel", "p50_us", 100)
        self.add("firstbyte", "haproxy", "p50_us", 100)
        self.assertTrue(self.verdict("firstbyte", "p50_us").reached)

    def test_memory_is_our_own(self):
        self.add("idle", "tunnel-encrypted", "pss_kib", 5, 3, 4)
        self.assertEqual(self.verdict("idle", "pss_kib", ENCRYPTED), bars.Verdict([5, 3, 4], 4, True))

    def test_lists_and_bandwidths_are_told_beside_the_tunnel_as_it_is_by_default(self):
        self.subjects += [found for found in SUBJECTS if found.name == "tunnel-limited"]
        self.results = Results(self.subjects, [case(None, Settings(rounds=3)) for case in CASES])
        self.add("bulk1", "tunnel", "mb_per_second", 400, 200, 300)
        self.add("bulk1", "tunnel-limited", "mb_per_second", 392, 150, 297)
        bar = next(bar for bar in bars.BARS if bar.beside is bars.LIMITED)
        self.assertEqual(bars.judge(self.results, bar, PLAIN), bars.Verdict([0.98, 0.75, 0.99], 0.98, True))
        self.assertIsNone(bars.judge(self.results, bar, ENCRYPTED).reached)

    def test_nothing_is_claimed_of_what_was_not_measured(self):
        self.add("rr", "tunnel", "per_second", 1000)
        self.assertIsNone(self.verdict("rr", "per_second").reached)
        self.assertIn("reached: 0 of 41 bars, 41 not measured", report.bars_as_text(self.results))

    def test_tables(self):
        self.add("bulk1", "tunnel", "mb_per_second", 400, 150, 360)
        self.add("bulk1", "haproxy", "mb_per_second", 200, 100, 200)
        self.add("idle", "tunnel", "pss_kib", 20)
        for text in (report.bars_as_text(self.results), report.bars_as_markdown(self.results)):
            for words in ("against haproxy (plain) and haproxy-tls (encrypted)", "1.80x", "1.50 to 2.00", ">= 1.70x",
                          "20.0 KiB", "<= 3.0 KiB", "reached: 1 of 41 bars, 39 not measured",
                          "the fewest behind one here: 1"):
                self.assertIn(words, text)
            self.assertNotIn("a bar means", text)

    def test_a_smaller_run_says_so(self):
        self.results.cases[0].settings = Settings(users=4)
        self.assertIn("this run had 4 x 100 MB and 2000", report.bars_as_text(self.results))


class TurnsTest(unittest.TestCase):
    def test_every_round_another_one_begins(self):
        self.assertEqual([rotated([1, 2, 3], number)[0] for number in range(4)], [1, 2, 3, 1])
        self.assertEqual(sorted(rotated([1, 2, 3], 2)), [1, 2, 3])


class OwnConfigTest(unittest.TestCase):
    def test_keys_are_set_at_the_top_and_nowhere_else(self):
        text = '# listen = ["a"]\nlisten = ["b"]\nworkers = 0\n[tls]\nlisten = "c"\n'
        parsed = tomllib.loads(with_keys(text, {"listen": '["127.0.0.1:0"]', "bind": '["127.0.0.1"]'}))
        self.assertEqual(parsed, {"workers": 0, "listen": ["127.0.0.1:0"], "bind": ["127.0.0.1"],
                                  "tls": {"listen": "c"}})

    def test_keys_over_several_lines_are_replaced_whole(self):
        text = 'listen = [\n  "a",  # one\n  "b",\n]\nworkers = 0\n'
        self.assertEqual(tomllib.loads(with_keys(text, {"listen": "[]"})), {"workers": 0, "listen": []})

    def test_the_link_gets_the_real_port(self):
        pairs = {
            "tunnel://bench:SECRET@127.0.0.1:7000?pin=PIN": "tunnel://bench:SECRET@127.0.0.1:4123?pin=PIN",
            "tunnel://bench:SECRET@127.0.0.1?pin=PIN": "tunnel://bench:SECRET@127.0.0.1:4123?pin=PIN",
            "tunnel://bench:SECRET@[::1]:0?ca=system": "tunnel://bench:SECRET@[::1]:4123?ca=system",
        }
        for link, wanted in pairs.items():
            self.assertEqual(with_port(link, "127.0.0.1:4123"), wanted)


class ProcessesTest(unittest.TestCase):
    def test_leaving_kills_the_whole_family(self):
        with tempfile.TemporaryDirectory() as folder:
            with Processes(Path(folder) / "none") as processes:
                # A parent that ignores SIGTERM, and a grandchild in a session of its own.
                script = "trap '' TERM; setsid sleep 600 & echo $!; wait; sleep 600"
                process = processes.start(["sh", "-c", script], Path(folder) / "log", stdout=subprocess.PIPE)
                grandchild = int(process.stdout.readline())
                self.assertIn(grandchild, procfs.tree([process.pid]))
                process.stdout.close()
            self.assertIsNotNone(process.returncode)
            self.assertIsNone(procfs.start_time(grandchild))

    def test_the_guard_kills_the_whole_family_and_removes_the_folder(self):
        folder = tempfile.mkdtemp()
        family = subprocess.Popen(["sh", "-c", "setsid sleep 600 & echo $!; wait"], stdout=subprocess.PIPE)
        stopped = subprocess.Popen(["sleep", "600"])
        try:
            grandchild = int(family.stdout.readline())
            names = [f"{process.pid} {procfs.start_time(process.pid)}" for process in (family, stopped)]
            guard = Path(__file__).parent / "bench" / "guard.py"
            subprocess.run([sys.executable, "-B", guard, folder], text=True, check=True, timeout=20,
                           input=f"+{names[0]}\n+{names[1]}\n-{names[1]}\n")
            self.assertEqual(family.wait(timeout=10), -signal.SIGKILL)
            self.assertIsNone(procfs.start_time(grandchild))
            self.assertIsNone(stopped.poll())  # it was taken off the list
            self.assertFalse(os.path.exists(folder))
        finally:
            family.stdout.close()
            for pid in procfs.tree([family.pid]):
                os.kill(pid, signal.SIGKILL)
            for process in (family, stopped):
                process.kill()
                process.wait(timeout=10)

    def test_cpu_and_memory_of_this_process(self):
        sum(range(3_000_000))
        self.assertGreater(procfs.cpu_seconds([os.getpid()]), 0)
        rss, pss = procfs.memory_kib([os.getpid()])
        self.assertGreater(rss, 1000)
        self.assertLessEqual(pss, rss)


class IoUringTest(unittest.TestCase):
    def test_a_ring_of_a_process_is_seen(self):
        self.assertFalse(procfs.has_io_uring(os.getpid()))
        libc = ctypes.CDLL(None, use_errno=True)
        ring = libc.syscall(425, 8, ctypes.create_string_buffer(120))  # io_uring_setup, params all 0
        if ring < 0:
            self.skipTest(f"no io_uring here: {os.strerror(ctypes.get_errno())}")
        try:
            self.assertTrue(procfs.has_io_uring(os.getpid()))
        finally:
            os.close(ring)

    def test_without_its_programs_it_is_skipped_with_the_reason(self):
        with tempfile.TemporaryDirectory() as folder:
            for found in (TunnelIoUring, TunnelEncryptedIoUring):
                self.assertIn("-DTUNNEL_IO_URING=ON", found.missing(Workspace(folder, None, folder)))
                self.assertEqual(found.missing(Workspace(folder, None, folder, io_uring_bin=folder)),
                                 f"tunnel-server and tunnel-client and tunnelctl not in {folder}")
            for name in PROGRAMS:
                Path(folder, name).touch()
            self.assertIsNone(TunnelIoUring.missing(Workspace(folder, None, folder, io_uring_bin=folder)))


if __name__ == "__main__":
    unittest.main()
