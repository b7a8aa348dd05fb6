"""A table as every program shows it best: HTML, LaTeX and aligned text, by mime type."""
from html import escape

# What LaTeX would take for its own; a bracket or star would belong to the line's end before it.
_TEX = str.maketrans({sign: f"\\{sign}" for sign in "&%$#_{}"}
                     | {"~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
                        "\\": r"\textbackslash{}", "[": "{[}", "*": "{*}"})


def bundle(rows, columns, caption=""):
    """The table that ``lab.table`` shows, mime type to text."""
    heads, rows = list(columns), [list(row) for row in rows]
    if not rows:
        raise ValueError(f"the table {caption or heads} has no rows")
    for number, row in enumerate(rows, start=1):
        if len(row) != len(heads):
            raise ValueError(f"row {number} of the table {caption or heads} has {len(row)} cells "
                             f"for {len(heads)} columns: {row}")
    cells = [[f"{value:{form}}" if form else str(value)
              for value, form in zip(row, columns.values())] for row in rows]
    sides = ["right" if form else "left" for form in columns.values()]
    return {"text/html": _html(cells, heads, sides, caption),
            "text/latex": _latex(cells, heads, sides, caption),
            "text/plain": _text(cells, heads, sides, caption)}


def _html(cells, heads, sides, caption):
    """A row's first cell is its head. GitHub drops the styles and keeps the rest."""
    styles = [f'style="text-align: {side}"' for side in sides]
    lines = ['<table class="dataframe" style="font-variant-numeric: tabular-nums">']
    lines += [f"<caption>{escape(caption)}</caption>"] * bool(caption)
    lines += ["<thead><tr>"]
    lines += [f'<th scope="col" {style}>{escape(head)}</th>' for head, style in zip(heads, styles)]
    lines += ["</tr></thead>", "<tbody>"]
    for first, *others in cells:
        lines += [f'<tr><th scope="row" {styles[0]}>{escape(first)}</th>']
        lines += [f"<td {style}>{escape(cell)}</td>" for cell, style in zip(others, styles[1:])]
        lines += ["</tr>"]
    return "\n".join([*lines, "</tbody>", "</table>"])


def _latex(cells, heads, sides, caption):
    head, *body = (" & ".join(word.translate(_TEX) for word in row) + r" \\"
                   for row in [heads, *cells])
    title = [rf"{caption.translate(_TEX)}\\[1ex]"] * bool(caption)
    letters = "".join(side[0] for side in sides)
    return "\n".join([r"\begin{center}", *title, rf"\begin{{tabular}}{{{letters}}}", r"\toprule",
                      head, r"\midrule", *body, r"\bottomrule", r"\end{tabular}",
                      r"\end{center}"])


def _text(cells, heads, sides, caption):
    widths = [max(map(len, column)) for column in zip(heads, *cells)]
    lines = ["  ".join(f"{word:{'>' if side == 'right' else '<'}{width}}"
                       for word, width, side in zip(row, widths, sides)).rstrip()
             for row in [heads, *cells]]
    return "\n".join([caption] * bool(caption) + lines)
