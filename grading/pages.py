"""The report's pages: HTML without scripts, fonts or addresses: they open anywhere, load nothing.

Every text that did not come from our own checks passes through `esc`.
"""

from __future__ import annotations

from html import escape
from typing import Any

_STYLE = """
:root{--ink:#23262f;--muted:#5d6472;--line:#e3e7ee;--blue:#1f6aa5;--crimson:#b3203a;--teal:#1b8a6b;--amber:#b45f06}
*{box-sizing:border-box}
body{margin:0 auto;max-width:60rem;padding:2rem 1.25rem 4rem;color:var(--ink);background:#fff;
line-height:1.5;font-family:system-ui,-apple-system,'Segoe UI',Roboto,'DejaVu Sans',sans-serif}
h1{font-size:1.7rem;line-height:1.2;margin:0 0 .25rem}h2{font-size:1.15rem;margin:2.2rem 0 .6rem}
p{margin:.3rem 0}.muted{color:var(--muted);font-size:.92rem}
.wide{overflow-x:auto;margin-bottom:.8rem}table{border-collapse:collapse;width:100%;font-size:.94rem}
th{text-align:left;font-weight:600;color:var(--muted);font-size:.85rem}
th,td{padding:.4rem .7rem .4rem 0;border-bottom:1px solid var(--line);vertical-align:top}
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
.bar{display:block;width:100%;min-width:6rem;height:.8rem}
.score{font-size:2.4rem;font-weight:650;margin:.6rem 0 0}
.score small{font-size:1.1rem;color:var(--muted);font-weight:400}
.card{border:1px solid var(--line);
border-left:5px solid var(--muted);border-radius:6px;padding:.7rem 1rem;margin:.7rem 0}
.card.full{border-left-color:var(--teal)}.card.part{border-left-color:var(--amber)}
.card.none{border-left-color:var(--crimson)}
.card header{display:flex;gap:1rem;justify-content:space-between;font-weight:600}
.card header span:last-child{white-space:nowrap}
a{color:var(--blue)}td{overflow-wrap:break-word}.card{overflow-wrap:anywhere}
"""
_BLUE, _LINE = "#1f6aa5", "#e3e7ee"


def esc(text: Any) -> str:
    """Text that stands in HTML as itself."""
    return escape(str(text), quote=True)


def page(title: str, body: str) -> str:
    """A whole document that may load nothing."""
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">\n'
        '<meta http-equiv="Content-Security-Policy"'
        " content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{esc(title)}</title><style>{_STYLE}</style></head>\n<body>\n{body}\n</body></html>\n"
    )


def table(head: list[str], rows: list[list[str]], numeric: tuple[int, ...] = ()) -> str:
    """A table of cells that are HTML already; columns listed in `numeric` stand to the right."""

    def line(cells: list[str], tag: str) -> str:
        scope = ' scope="col"' if tag == "th" else ""
        kinds = [' class="n"' if i in numeric else "" for i in range(len(cells))]
        return (
            "<tr>"
            + "".join(
                f"<{tag}{scope}{kind}>{cell}</{tag}>"
                for kind, cell in zip(kinds, cells, strict=True)
            )
            + "</tr>"
        )

    body = "\n".join(line(row, "td") for row in rows)
    return (
        f'<div class="wide"><table><thead>{line(head, "th")}</thead>\n'
        f"<tbody>{body}</tbody></table></div>"
    )


def bar(part: float) -> str:
    """A bar from 0 to 1."""
    width = round(100 * min(max(part, 0.0), 1.0), 2)
    return (
        '<svg class="bar" viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">'
        f'<rect width="100" height="10" fill="{_LINE}"/>'
        f'<rect width="{width}" height="10" fill="{_BLUE}"/></svg>'
    )


def student(row: dict[str, Any], report: dict[str, Any]) -> str:
    """One student's feedback: verdicts in words, never the answer, and nobody else's data."""
    titles = {
        name: q["title"]
        for name, q in report["assignments"][row["assignment"]]["questions"].items()
    }
    cards = [
        _card(
            f"{name} · {titles[name]}",
            answer["points"],
            answer["out_of"],
            answer["message"],
            answer["given"],
        )
        for name, answer in row["answers"].items()
    ]
    made, fault = row["predictions"], row["predictions"]["fault"]
    if made["out_of"]:
        listed = ", ".join(made["committed"]) or "none"
        note = (
            f"Committed before the reveal: {listed}. Being right is not asked, having committed is."
        )
        cards.append(
            _card(
                "Predictions",
                made["points"],
                made["out_of"],
                f"{note} {fault.capitalize()}".strip(),
            )
        )
    body = (
        f'<p class="muted">{esc(row["assignment"])}</p><h1>{esc(row["student"])}</h1>'
        f'<p class="score">{row["score"]:g} <small>of {row["out_of"]:g} points</small></p>'
        f"{''.join(cards)}"
        f'<p class="muted">{esc(_stamp(report))}</p>'
    )
    return page(f"{row['student']}: {row['assignment']}", body)


def _card(title: str, points: float, out_of: float, message: str, given: str = "") -> str:
    said = f'<p class="muted">You answered {esc(given)}.</p>' if given else ""
    kind = "full" if points == out_of else "part" if points else "none"
    return (
        f'<section class="card {kind}"><header><span>{esc(title)}</span>'
        f"<span>{points:g} / {out_of:g}</span></header>"
        f"{said}<p>{esc(message)}</p></section>"
    )


def overview(report: dict[str, Any]) -> str:
    """The instructor's page: distribution, questions, misconceptions, calibration, all students."""
    parts = ["<h1>Grades</h1>", f'<p class="muted">{esc(_stamp(report))}</p>']
    if report["unreadable"]:
        rows = [[esc(r["file"]), esc(r["reason"])] for r in report["unreadable"]]
        parts += [f"<h2>Not graded: {len(rows)}</h2>", table(["File", "Why"], rows)]
    for name, summary in report["assignments"].items():
        parts.append(_assignment(name, summary))
        parts.append(_students([row for row in report["students"] if row["assignment"] == name]))
    return page("Grades", "\n".join(parts))


def _assignment(name: str, summary: dict[str, Any]) -> str:
    count, most = summary["students"], max(summary["distribution"])
    spread = [
        [f"{10 * i}-{10 * i + 10} %", bar(n / most), str(n)]
        for i, n in enumerate(summary["distribution"])
    ]
    questions = [
        [
            esc(q),
            esc(held["title"]),
            bar(held["success"]),
            f"{held['success']:.0%}",
            str(held["kinds"].get("blank", 0)),
        ]
        for q, held in summary["questions"].items()
    ]
    parts = [
        f"<h2>{esc(name)}</h2><p>{count} graded; on average {summary['mean']:.0%} of "
        f"{summary['out_of']:g} points.</p>",
        "<h2>Distribution</h2>",
        table(["Score", "Students", ""], spread, numeric=(2,)),
        "<h2>Questions</h2>",
        table(["", "Question", "Success", "", "Blank"], questions, numeric=(3, 4)),
        "<h2>What went wrong, by question</h2>",
        _heat(summary),
        "<h2>Predictions</h2>",
        _calibration(summary),
    ]
    return "\n".join(parts)


def _heat(summary: dict[str, Any]) -> str:
    """How many learners met each misconception, slip or assumption; darker is more."""
    rows, count = [], summary["students"]
    for name, held in summary["questions"].items():
        for label, times in sorted(held["named"].items(), key=lambda pair: (-pair[1], pair[0])):
            share = times / count
            shade = f"background:rgba(179,32,58,{0.08 + 0.62 * share:.2f});padding-left:.5rem"
            rows.append(
                [esc(name), f'<div style="{shade}">{esc(label)}</div>', bar(share), str(times)]
            )
    if not rows:
        return "<p>No misconception, slip or assumption was recognised.</p>"
    return table(["", "Learners ...", "Share", ""], rows, numeric=(3,))


def _calibration(summary: dict[str, Any]) -> str:
    committed, count = summary["committed"], summary["students"]
    rows = [[esc(name), bar(n / count), str(n)] for name, n in committed.items()]
    parts = (
        [table(["Prediction", "Committed", ""], rows, numeric=(2,))]
        if rows
        else ["<p>This one has none.</p>"]
    )
    held = summary["calibration"]
    if held["levels"]:
        rows = [
            [
                f"{level['stated']:.0%} sure",
                bar(level["hit_rate"]),
                f"{level['hit_rate']:.0%}",
                str(level["predictions"]),
            ]
            for level in held["levels"]
        ]
        head = ["Said to be", "Within a factor of 2, or the right choice", "", "Predictions"]
        parts.append(table(head, rows, numeric=(2, 3)))
    if held["typical_factor"] is not None:
        factor = float(f"{held['typical_factor']:.2g}")
        parts.append(f"<p>Typically off by a factor of {factor:,g}.</p>")
    return "\n".join(parts)


def _students(rows: list[dict[str, Any]]) -> str:
    cells = [
        [
            f'<a href="{esc(row["page"])}">{esc(row["student"])}</a>',
            f"{row['score']:g}",
            esc("; ".join([*row["flags"], *filter(None, [row["predictions"]["fault"]])])),
        ]
        for row in rows
    ]
    return f"<h2>Students</h2>{table(['Student', 'Score', 'Remarks'], cells, numeric=(1,))}"


def _stamp(report: dict[str, Any]) -> str:
    return (
        f"Judged by mlsysim {report['mlsysim']}, registry {report['registry']}, "
        f"{report['variants']} variants."
    )
