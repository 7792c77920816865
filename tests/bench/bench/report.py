"""The results as tables: one a case, and one of the bars; for a terminal or in Markdown."""

from bench import bars


def number(value):
    """Three significant digits, thousands grouped. 0 is less than the clock of /proc can show."""
    if not value:
        return "-"
    size = abs(value)
    if size >= 100:
        return f"{value:,.0f}"
    if size >= 10:
        return f"{value:.1f}"
    if size >= 1:
        return f"{value:.2f}"
    return f"{value:.3f}"


def ratio(value):
    return "-" if value is None else f"x{value:.2f}"


def case_table(results, case):
    """(header, rows) as lists of strings. The first two columns are words, the others numbers."""
    header = ["subject", "against"]
    for index, metric in enumerate(case.metrics):
        header += [metric.title, "ratio"] + (["spread"] if index == 0 else [])
    rows = []
    for subject in results.subjects:
        cells = [subject.title, results.references.get(subject.kind, "-")]
        if results.median(case.name, subject.name, case.metrics[0].key) is None:
            failed = any(name == case.name and who == subject.name for name, who, _ in results.failures())
            if not failed:
                continue
        for index, metric in enumerate(case.metrics):
            cells += [number(results.median(case.name, subject.name, metric.key)),
                      ratio(results.ratio(case.name, subject, metric))]
            if index == 0:
                spread = results.spread(case.name, subject.name, metric.key)
                cells.append("-" if spread is None else f"{spread * 100:.0f}%")
        rows.append(cells)
    return header, rows


def as_text(results):
    return "\n\n".join([_text(case.title, *case_table(results, case)) for case in results.cases]
                       + _failures(results)) + "\n"


def as_markdown(results):
    return "\n\n".join([_markdown(case.title, *case_table(results, case)) for case in results.cases]
                       + _failures(results)) + "\n"


def bars_as_text(results):
    title, header, rows, notes = bars.table(results)
    return "\n".join([_text(title, header, rows), *(f"  {note}" for note in notes)]) + "\n"


def bars_as_markdown(results):
    title, header, rows, notes = bars.table(results)
    return _markdown(title, header, rows) + "\n\n" + "\n".join(f"- {note}" for note in notes) + "\n"


def _text(title, header, rows):
    widths = [max(len(row[i]) for row in [header, *rows]) for i in range(len(header))]
    lines = [title, "  " + _line(header, widths), "  " + "  ".join("-" * width for width in widths)]
    return "\n".join(lines + ["  " + _line(row, widths) for row in rows])


def _markdown(title, header, rows):
    lines = [f"### {title}", "", "| " + " | ".join(header) + " |",
             "|" + "|".join(["---", "---"] + ["---:"] * (len(header) - 2)) + "|"]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def _line(cells, widths):
    return "  ".join(cell.ljust(width) if i < 2 else cell.rjust(width)
                     for i, (cell, width) in enumerate(zip(cells, widths))).rstrip()


def _failures(results):
    lines = [f"failed: {case}, {subject}, {why}" for case, subject, why in results.failures()]
    return ["\n".join(lines)] if lines else []
