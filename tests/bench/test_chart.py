"""The chart: what it shows, and that no text lies on another one."""

import itertools
import sys
import unittest
import xml.etree.ElementTree as ElementTree
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from bench import chart, saved  # noqa: E402
from bench.cases import CASES, Settings  # noqa: E402
from bench.failure import Failure  # noqa: E402
from bench.results import Results  # noqa: E402
from bench.subjects import SUBJECTS  # noqa: E402

SVG = "{http://www.w3.org/2000/svg}"
FACTS = {"cpu": "A rather long name of a processor <R> & others, 128 cores", "kernel": "6.1.0-18-cloud-amd64",
         "load average": "0.01 at the start", "build": "Release", "tunnel": "tunnel-server 1.0.0",
         "haproxy": "HAProxy version 2.6.12", "nginx": "nginx version: nginx/1.22.1", "curl": "curl 7.88.1"}


def run_of(value, names=None, cases=CASES, rounds=1):
    """A run where value(case name, subject name, metric key) was measured; None: it failed; absent: LookupError."""
    settings = Settings(rounds=rounds)
    subjects = [subject for subject in SUBJECTS if names is None or subject.name in names]
    results = Results(subjects, [case(None, settings) for case in cases])
    for case, subject in itertools.product(results.cases, subjects):
        for metric in case.metrics:
            try:
                measured = value(case.name, subject.name, metric.key)
            except LookupError:
                continue
            if measured is None:
                results.add_failure(0, case, subject, "it broke")
            else:
                results.add(0, case, subject, {metric.key: measured})
    return saved.Run(FACTS, settings, [], results)


def drawn(run):
    return ElementTree.fromstring(chart.draw(run))


def texts(root):
    return [element.text for element in root.iter(f"{SVG}text")]


def text_box(element):
    """Left, top, right, bottom: generously, as of DejaVu Sans, the widest common font."""
    x, y, size = float(element.get("x")), float(element.get("y")), float(element.get("font-size"))
    width = len(element.text) * size * (0.64 if "bold" in element.get("class") else 0.6)
    return x, y - 0.8 * size, x + width, y + 0.25 * size


def overlap(one, other):
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


class ChartTest(unittest.TestCase):
    def bars_of(self, root, css_class):
        """Their lengths; the legend below the last rule is none."""
        end = max(float(line.get("y1")) for line in root.iter(f"{SVG}line"))
        return [float(rect.get("width")) for rect in root.iter(f"{SVG}rect")
                if rect.get("class") == css_class and 0 < float(rect.get("y", 0)) < end]

    def test_no_text_lies_on_another_one_or_outside(self):
        for value in (0.001, 7.77, 123_456_789.0):
            root = drawn(run_of(lambda case, subject, key, value=value: value, rounds=5))
            width, height = float(root.get("width")), float(root.get("height"))
            boxes = [(element.text, text_box(element)) for element in root.iter(f"{SVG}text")]
            for (text, box), (other, other_box) in itertools.combinations(boxes, 2):
                self.assertFalse(overlap(box, other_box), f"'{text}' lies on '{other}'")
            for text, box in boxes:
                self.assertTrue(0 <= box[0] and box[2] <= width and 0 <= box[1] and box[3] <= height, text)

    def test_bars_are_as_long_as_the_values(self):
        values = {"tunnel": 300.0, "haproxy": 100.0, "direct": 9000.0}
        root = drawn(run_of(lambda case, subject, key: values[subject] if key == "mb_per_second" else {}[key],
                            list(values), CASES[:1]))
        (own,), (reference,), (direct,) = (self.bars_of(root, name) for name in ("own", "reference", "direct"))
        self.assertAlmostEqual(own / reference, 3, delta=0.02)
        self.assertEqual(direct, own)  # cut off: the tunnels set the scale
        self.assertEqual(len(self.bars_of(root, "page")), 1)
        for words in ("300", "100", "9,000", "MB/s, more is better", "plain", "one round of 3 s"):
            self.assertTrue(any(words in text for text in texts(root)), words)
        self.assertNotIn("encrypted", texts(root))  # nobody there
        self.assertFalse(any("nginx" in text for text in texts(root)))

    def test_a_failure_and_no_cpu_time_are_told(self):
        values = {"mb_per_second": None, "cpu_per_gb": 0.0}
        root = drawn(run_of(lambda case, subject, key: 5.0 if subject == "haproxy" else values[key],
                            ["tunnel", "haproxy"], CASES[:1]))
        self.assertIn("failed", texts(root))
        self.assertEqual(self.bars_of(root, "own"), [])

    def test_the_same_run_gives_the_same_picture_for_both_kinds_of_page(self):
        run = run_of(lambda case, subject, key: 5.0)
        self.assertEqual(chart.draw(run), chart.draw(saved.from_text(saved.as_text(run))))
        self.assertIn("prefers-color-scheme:dark", chart.draw(run))

    def test_nothing_measured_is_no_picture(self):
        with self.assertRaisesRegex(Failure, "nothing to draw"):
            chart.draw(run_of(lambda case, subject, key: None))


if __name__ == "__main__":
    unittest.main()
