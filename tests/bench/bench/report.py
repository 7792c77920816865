"""The results as tables: one a case, for a terminal or in Markdown."""

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
    lines = []
    for case in results.cases:
        header, rows = case_table(results, case)
        widths = [max(len(row[i]) for row in [header, *rows]) for i in range(len(header))]
        lines += ["", case.title, "  " + _line(header, widths), "  " + "  ".join("-" * width for width in widths)]
        lines += ["  " + _line(row, widths) for row in rows]
    return "\n".join(lines + _notes(results)).lstrip("\n") + "\n"


def as_markdown(results):
    lines = []
    for case in results.cases:
        header, rows = case_table(results, case)
        lines += ["", f"### {case.title}", "", "| " + " | ".join(header) + " |",
                  "|" + "|".join(["---", "---"] + ["---:"] * (len(header) - 2)) + "|"]
        lines += ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(lines + _notes(results)).lstrip("\n") + "\n"


def _line(cells, widths):
    return "  ".join(cell.ljust(width) if i < 2 else cell.rjust(width)
                     for i, (cell, width) in enumerate(zip(cells, widths))).rstrip()


def _notes(results):
    lines = [f"failed: {case}, {subject}, {why}" for case, subject, why in results.failures()]
    return ["", *lines] if lines else []
