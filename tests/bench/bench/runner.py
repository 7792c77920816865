"""The measuring itself: rounds, and in each round every case on every subject, in turn."""

import sys

from bench.cases import CASES
from bench.failure import Failure
from bench.results import Results
from bench.services import HttpService, LoadService, UdpService
from bench.workspace import wait_until

_MOST_FAILURES = 2  # a subject that fails a case so often is not asked again for it


class Runner:
    def __init__(self, workspace, settings, subjects, case_names, references):
        self._workspace = workspace
        self._settings = settings
        self._subjects = subjects
        self._cases = [case(workspace, settings) for case in CASES if case.name in case_names]
        self._services = {}
        self._running = {}  # subject class -> (service name, subject, public port)
        self._failures = {}
        self.results = Results(subjects, self._cases, references)

    def run(self):
        """Fills `results`. Interleaved: all subjects have a go at a case before the next case, and each round
        another subject begins, so that what else the machine does hits all of them alike."""
        self._start_services()
        try:
            for number in range(self._settings.rounds):
                for case in self._cases:
                    for subject in rotated(self._subjects, number):
                        if case.protocol not in subject.protocols:
                            continue
                        self._measure(number, case, subject)
        finally:
            for subject_class in list(self._running):
                self._stop(subject_class)
            _clear_line()

    def _start_services(self):
        wanted = {case.service for case in self._cases}
        for service in (LoadService(self._workspace), UdpService(self._workspace),
                        HttpService(self._workspace, self._settings.file_bytes)):
            if service.name in wanted:
                service.start()
                self._services[service.name] = service

    def _measure(self, number, case, subject_class):
        key = (case.name, subject_class.name)
        if self._failures.get(key, 0) >= _MOST_FAILURES:
            return
        _say(f"round {number + 1}/{self._settings.rounds}  {case.name:<10}{subject_class.name}", passing=True)
        try:
            subject, port = self._ensure(subject_class, case)
            values = case.measure(subject, port)
            subject.check_alive()
        except (Failure, OSError, LookupError, ValueError) as error:  # one subject's trouble is not the others'
            sentence = str(error) if isinstance(error, Failure) else f"{type(error).__name__}: {error}"
            self._failures[key] = self._failures.get(key, 0) + 1
            self.results.add_failure(number, case, subject_class, sentence)
            _say(f"failed: {case.name}, {subject_class.name}: {sentence}")
            self._stop(subject_class)
        else:
            self.results.add(number, case, subject_class, values)

    def _ensure(self, subject_class, case):
        """The subject, running in front of the case's service."""
        service_name, subject, port = self._running.get(subject_class, (None, None, None))
        if service_name == case.service and not case.fresh:
            return subject, port
        # Pages that several instances share count less for each (PSS): a fresh one runs alone.
        for other in list(self._running) if case.fresh else [subject_class]:
            self._stop(other)
        service = self._services[case.service]
        subject = subject_class(self._workspace)
        subject.protocol = case.protocol
        self._running[subject_class] = (case.service, subject, 0)
        port = subject.start(service.port)
        self._running[subject_class] = (case.service, subject, port)
        try:
            wait_until(lambda: service.answers(port), f"{subject_class.name} in front of the {service.name} service")
        except Failure as failure:
            raise Failure(f"{failure} ({subject.last_words()})") from failure
        return subject, port

    def _stop(self, subject_class):
        _, subject, _ = self._running.pop(subject_class, (None, None, None))
        if subject is not None:
            subject.stop()


def rotated(items, number):
    """The items, beginning with another one for each number."""
    start = number % len(items) if items else 0
    return items[start:] + items[:start]


def _say(text, passing=False):
    """Progress. On a terminal a passing line makes room for the next one."""
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="" if passing else "\n", file=sys.stderr, flush=True)
    else:
        print(text, file=sys.stderr, flush=True)


def _clear_line():
    if sys.stderr.isatty():
        print("\r\033[K", end="", file=sys.stderr, flush=True)
