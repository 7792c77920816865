"""What came out: values by round, medians, ratios."""

import statistics

from bench.subjects.base import DATAGRAMS, ENCRYPTED, PLAIN

# What a subject of each kind is compared with, unless the command line says otherwise.
REFERENCES = {PLAIN: "haproxy", ENCRYPTED: "haproxy-tls", DATAGRAMS: "nginx"}


class Results:
    def __init__(self, subjects, cases, references=None):
        self.references = references or REFERENCES
        self.subjects = list(subjects)
        self.cases = list(cases)
        self._values = {}    # (case, subject, metric) -> {round: value}
        self._failures = {}  # (case, subject) -> [sentence]

    def add(self, number, case, subject, values):
        for key, value in values.items():
            self._values.setdefault((case.name, subject.name, key), {})[number] = value

    def add_failure(self, number, case, subject, sentence):
        self._failures.setdefault((case.name, subject.name), []).append(f"round {number + 1}: {sentence}")

    def failures(self):
        """(case name, subject name, sentence), in the order in which they came."""
        return [(case, subject, sentence) for (case, subject), sentences in self._failures.items()
                for sentence in sentences]

    def rounds(self, case_name, subject_name, key):
        """The values by round."""
        return list(self._values.get((case_name, subject_name, key), {}).values())

    def median(self, case_name, subject_name, key):
        values = self.rounds(case_name, subject_name, key)
        return statistics.median(values) if values else None

    def spread(self, case_name, subject_name, key):
        """(largest - smallest) / median, or None."""
        values = self.rounds(case_name, subject_name, key)
        middle = statistics.median(values) if values else 0
        return (max(values) - min(values)) / middle if middle and len(values) > 1 else None

    def quotients(self, case_name, own_name, other_name, key):
        """own / other of each round in which both have a value above 0.

        Both values of a round were measured within a minute, so what the machine did to one it did to the other.
        """
        own = self._values.get((case_name, own_name, key), {})
        other = self._values.get((case_name, other_name, key), {})
        return [own[number] / other[number] for number in sorted(own.keys() & other.keys())
                if own[number] > 0 and other[number] > 0]

    def ratio(self, case_name, subject, metric):
        """How many times better than its reference the subject is: above 1 is better, whatever the metric.

        The median of the rounds' own ratios, or None.
        """
        ratios = self.quotients(case_name, subject.name, self.references.get(subject.kind), metric.key)
        if not metric.higher_is_better:
            ratios = [1 / ratio for ratio in ratios]
        return statistics.median(ratios) if ratios else None

    def as_dict(self):
        rows = []
        for case in self.cases:
            for subject in self.subjects:
                for metric in case.metrics:
                    values = self._values.get((case.name, subject.name, metric.key), {})
                    if values:
                        rows.append({"case": case.name, "subject": subject.name, "kind": subject.kind,
                                     "metric": metric.key, "title": metric.title,
                                     "higher_is_better": metric.higher_is_better,
                                     # null: a round that failed
                                     "rounds": [values.get(number) for number in range(max(values) + 1)],
                                     "median": statistics.median(values.values()),
                                     "reference": self.references.get(subject.kind),
                                     "ratio": self.ratio(case.name, subject, metric)})
        return {"rows": rows, "failures": [{"case": case, "subject": subject, "why": why}
                                           for case, subject, why in self.failures()]}

    def add_dict(self, saved):
        """The opposite of as_dict: adds what it holds about these cases and subjects."""
        known = {case.name: {metric.key for metric in case.metrics} for case in self.cases}
        names = {subject.name for subject in self.subjects}
        for row in saved["rows"]:
            if row["subject"] in names and row["metric"] in known.get(row["case"], ()):
                self._values[row["case"], row["subject"], row["metric"]] = {
                    number: value for number, value in enumerate(row["rounds"]) if value is not None}
        for failure in saved["failures"]:
            if failure["subject"] in names and failure["case"] in known:
                self._failures.setdefault((failure["case"], failure["subject"]), []).append(failure["why"])
