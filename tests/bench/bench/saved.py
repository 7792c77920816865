"""A run as a file: written by --json, read again by --from."""

import dataclasses
import json

from bench.cases import CASES, Settings
from bench.failure import Failure
from bench.results import Results
from bench.subjects import SUBJECTS


@dataclasses.dataclass(frozen=True)
class Run:
    """All that the reports tell. facts: what the numbers depend on, by name. skipped: sentences."""

    facts: dict
    settings: Settings
    skipped: list
    results: Results


def as_text(run):
    return json.dumps({"machine": run.facts, "settings": dataclasses.asdict(run.settings), "skipped": run.skipped,
                       **run.results.as_dict()}, indent=2) + "\n"


def from_text(text, subject_names=None, case_names=None, references=None):
    """The run, or only these subjects and cases of it. references: other ones than the run's own, by kind."""
    try:
        saved = json.loads(text)
        settings = Settings(**saved["settings"])
        rows = saved["rows"]
        subjects = [subject for subject in SUBJECTS if _is_in(subject.name, "subject", saved, subject_names)]
        cases = [case(None, settings) for case in CASES if _is_in(case.name, "case", saved, case_names)]
        used = {row["kind"]: row["reference"] for row in rows if row["kind"]}
        results = Results(subjects, cases, {**used, **(references or {})})
        results.add_dict(saved)
        return Run(saved["machine"], settings, saved["skipped"], results)
    except (ValueError, KeyError, TypeError) as error:
        raise Failure(f"this is no file that --json wrote: {type(error).__name__}: {error}") from error


def _is_in(name, key, saved, wanted):
    return ((wanted is None or name in wanted)
            and any(entry[key] == name for entry in saved["rows"] + saved["failures"]))
