"""The results as one picture: a row for each subject, a column of bars for each measure."""

import dataclasses
import re

from bench.failure import Failure
from bench.report import number
from bench.subjects.base import ENCRYPTED, PLAIN
from bench.subjects.own import Tunnel
from bench.svg import Picture, text_width

_COMMAND = "tests/bench/run.py --from run.json --chart FILE.svg"


@dataclasses.dataclass(frozen=True)
class Panel:
    case_name: str
    key: str
    title: str
    unit: str
    more_is_better: bool


PANELS = (
    Panel("bulk1", "mb_per_second", "Bulk, 1 stream", "MB/s", True),
    Panel("bulk1", "cpu_per_gb", "CPU per GB", "seconds", False),
    Panel("rr", "per_second", "Requests/s", "32 at once", True),
    Panel("rr", "cpu_us", "CPU per request", "µs", False),
    Panel("connect", "per_second", "New connections/s", "16 at once", True),
    Panel("connect", "cpu_us", "CPU per connection", "µs", False),
    Panel("firstbyte", "p50_us", "First byte", "p50, µs", False),
    Panel("idle", "pss_kib", "Idle connection", "KiB", False),
)
_GROUPS = ((None, None), (PLAIN, "plain"), (ENCRYPTED, "encrypted"))

# Sizes in pixels.
_WIDTH = 920
_MARGIN = 20
_ACROSS = 4  # panels beside each other
_GAP = 18
_ROW = 20
_BAR = 12
_HEADING = 44  # above a band of panels
_GROUP = 24
_TEXT, _SMALL, _TITLE = 12, 11, 16
_VALUE_GAP = 4

_LIGHT = {"page": "#ffffff", "text": "#1f2328", "soft": "#59636e", "rule": "#d1d9e0", "own": "#0969da",
          "reference": "#57606a", "peer": "#a8b1bb", "direct": "#dfe4ea", "ring": "#54a3f5", "band": "#eaf3fe"}
_DARK = {"page": "#0d1117", "text": "#e6edf3", "soft": "#9ba4ae", "rule": "#30363d", "own": "#4c9bff",
         "reference": "#a9b3bd", "peer": "#59626d", "direct": "#30363d", "ring": "#2f6fc4", "band": "#13233a"}


def draw(run):
    """The text of an SVG file. The same run always gives the same text."""
    return _Chart(run).draw()


def _style():
    def rules(colours):
        return "".join(f".{name}{{{'stroke' if name == 'rule' else 'fill'}:{colour}}}"
                       for name, colour in colours.items())
    return (f"text{{font-family:system-ui,-apple-system,'Segoe UI',Helvetica,Arial,sans-serif}}.bold{{font-weight:600}}"
            f"{rules(_LIGHT)}@media(prefers-color-scheme:dark){{{rules(_DARK)}}}")


class _Chart:
    def __init__(self, run):
        self._run = run
        self._results = run.results
        self._panels = [panel for panel in PANELS if any(self._value(subject, panel)
                                                         for subject in self._results.subjects)]
        if not self._panels:
            raise Failure("there is nothing to draw a chart of")
        drawn = [subject for subject in self._results.subjects if not subject.aside and self._is_there(subject)]
        self._groups = [(title, [subject for subject in drawn if subject.kind == kind]) for kind, title in _GROUPS]
        labels = [_label(subject) for _, subjects in self._groups for subject in subjects]
        self._left = _MARGIN + max(text_width(label, _TEXT) for label in labels) + 8
        self._panel_width = (_WIDTH - _MARGIN - self._left - _GAP * (_ACROSS - 1)) / _ACROSS
        self._picture = Picture("The tunnel beside its peers", f"Made by {_COMMAND}", _style())

    def draw(self):
        y = self._title()
        for first in range(0, len(self._panels), _ACROSS):
            y = self._band(self._panels[first:first + _ACROSS], y)
        y = self._foot(y)
        return self._picture.finish(_WIDTH, y)

    def _value(self, subject, panel):
        """The median, or None; 0 is less than the clock of /proc can show."""
        return self._results.median(panel.case_name, subject.name, panel.key)

    def _is_there(self, subject):
        return any(self._value(subject, panel) is not None or self._failed(subject, panel) for panel in self._panels)

    def _failed(self, subject, panel):
        return any((case, name) == (panel.case_name, subject.name) for case, name, _ in self._results.failures())

    def _css_class(self, subject):
        if issubclass(subject, Tunnel):
            return "own" if "io-uring" not in subject.name else "ring"
        if subject.kind is None:
            return "direct"
        return "reference" if subject.name in self._results.references.values() else "peer"

    def _title(self):
        settings = self._run.settings
        self._picture.text(_MARGIN, 34, "The tunnel beside its peers", "text bold", _TITLE)
        rounds = (f"medians of {settings.rounds} interleaved rounds of {settings.seconds:g} s" if settings.rounds > 1
                  else f"one round of {settings.seconds:g} s")
        self._picture.text(_MARGIN, 54, f"Over loopback; {rounds}; CPU and memory of both ends together", "soft",
                           _SMALL)
        return 70

    def _band(self, panels, y):
        """A band of panels beside each other, with the names of the rows; returns where it ends."""
        self._picture.line(_MARGIN, y, _WIDTH - _MARGIN, y, "rule")
        for index, panel in enumerate(panels):
            x = self._panel_x(index)
            self._picture.text(x, y + 20, panel.title, "text bold", _TEXT)
            better = "more" if panel.more_is_better else "less"
            self._picture.text(x, y + 35, f"{panel.unit}, {better} is better", "soft", _SMALL - 1)
        y += _HEADING
        for title, subjects in self._groups:
            if title and subjects:
                self._picture.text(_MARGIN, y + 16, title, "soft bold", _SMALL)
                y += _GROUP
            for subject in subjects:
                self._row(subject, panels, y)
                y += _ROW
        return y + 12

    def _panel_x(self, index):
        return self._left + index * (self._panel_width + _GAP)

    def _row(self, subject, panels, y):
        baseline = y + _ROW / 2 + _TEXT * 0.36
        weight = ""
        if issubclass(subject, Tunnel):
            weight = " bold"
            self._picture.rect(_MARGIN - 8, y, _WIDTH - 2 * _MARGIN + 16, _ROW, "band")
        self._picture.text(_MARGIN, baseline, _label(subject), "text" + weight, _TEXT)
        for index, panel in enumerate(panels):
            x, value = self._panel_x(index), self._value(subject, panel)
            if value:
                x += self._bar(subject, panel, x, y + (_ROW - _BAR) / 2) + _VALUE_GAP
                self._picture.text(x, baseline, number(value), "text" + weight, _SMALL)
            elif self._failed(subject, panel):
                self._picture.text(x, baseline, "failed", "soft" + weight, _SMALL)
            elif value is not None and subject.kind is not None:  # less CPU time than the clock can show
                self._picture.text(x, baseline, number(value), "soft" + weight, _SMALL)

    def _bar(self, subject, panel, x, y):
        """Returns its length. The tunnels set the scale; what is beyond it, without a tunnel, is cut off."""
        values = [self._value(other, panel) or 0 for _, subjects in self._groups for other in subjects]
        scale = max([self._value(other, panel) or 0 for _, subjects in self._groups for other in subjects
                     if other.kind is not None], default=0) or max(values)
        longest = self._panel_width - _VALUE_GAP - max(text_width(number(value), _SMALL) for value in values)
        value = self._value(subject, panel)
        length = max(min(value / scale, 1) * longest, 1)
        self._picture.rect(x, y, length, _BAR, self._css_class(subject), 2)
        if value > scale:
            self._picture.rect(x + length - 12, y, 3, _BAR, "page")
        return length

    def _foot(self, y):
        """The legend, and what the numbers depend on."""
        self._picture.line(_MARGIN, y, _WIDTH - _MARGIN, y, "rule")
        y += 22
        x = _MARGIN
        for css_class, words in self._legend():
            self._picture.rect(x, y - 10, _BAR, _BAR, css_class, 2)
            self._picture.text(x + _BAR + 6, y, words, "text", _SMALL)
            x += _BAR + 6 + text_width(words, _SMALL) + 6
        for line in _wrapped(self._facts(), _WIDTH - 2 * _MARGIN):
            y += 16
            self._picture.text(_MARGIN, y + 4, line, "soft", _SMALL - 1)
        return y + 20

    def _facts(self):
        facts = self._run.facts
        machine = [facts["cpu"]] if "cpu" in facts else []
        machine += [f"{name} {facts[name]}" for name in ("kernel", "load average", "build") if name in facts]
        shown = {subject.name.split("-")[0] for _, subjects in self._groups for subject in subjects}
        return machine + [facts[name] for name in ("tunnel", "haproxy", "nginx", "ssh")
                          if name in facts and name in shown]

    def _legend(self):
        shown = {self._css_class(subject) for _, subjects in self._groups for subject in subjects}
        words = {"own": "this tunnel", "ring": "this tunnel on io_uring", "reference": "what it is compared with",
                 "peer": "others", "direct": "no tunnel, cut off where longer"}
        return [(css_class, text) for css_class, text in words.items() if css_class in shown]


def _label(subject):
    """The title without what the group's heading says."""
    return re.sub(r", encrypt = \w+$", "", subject.title)


def _wrapped(parts, width):
    """The parts, joined to lines that are not wider."""
    lines = []
    for part in parts:
        joined = f"{lines[-1]} · {part}" if lines else part
        if lines and text_width(joined, _SMALL - 1) <= width:
            lines[-1] = joined
        else:
            lines.append(part)
    return lines
