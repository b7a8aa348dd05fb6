"""List the book's labelled equations with the cell, check and test of each.

Exits with 1 where an equation lacks one of them.
"""
import argparse
import ast
import re
import sys

from tools.shared.command import in_words
from tools.shared.source import (
    ROOT,
    chapter_names,
    chapter_path,
    code_cells,
    code_lines,
    read_chapter,
)

EQUATION = re.compile(r"^\$\$ \((eq-[\w-]+)\)$", re.MULTILINE)
CHECK = re.compile(r"\b(check_equal|gradcheck|assert_close)\(")


def tested_labels():
    """The labels in ``@pytest.mark.formula(...)`` of the tests, each with its test's name."""
    found = {}
    for path in sorted((ROOT / "tests").glob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.FunctionDef):
                continue
            for mark in node.decorator_list:
                if isinstance(mark, ast.Call) and ast.unparse(mark.func) == "pytest.mark.formula":
                    for label in map(ast.literal_eval, mark.args):
                        found.setdefault(label, f"{path.name}::{node.name}")
    return found


def coverage(name, tested):
    """Rows ``(label, line of its cell, line of its check, test)`` of a chapter; None is a hole."""
    nb = read_chapter(name)
    codes = list(zip(code_cells(nb), code_lines(name, nb), strict=True))
    text = chapter_path(name).read_text(encoding="utf-8")
    rows = []
    for label in EQUATION.findall(text):
        at = next((i for i, (cell, _) in enumerate(codes)
                   if label in cell.metadata.get("tags", [])), None)
        check = None if at is None else next(
            (line for cell, line in codes[at:at + 2] if CHECK.search(cell.source)), None)
        rows.append((label, None if at is None else codes[at][1], check, tested.get(label)))
    return rows


def main(argv=None):
    """Print the table; returns an exit status."""
    argparse.ArgumentParser(prog="python -m tools.formulas", description=__doc__).parse_args(argv)
    tested, holes = tested_labels(), 0
    for name in chapter_names():
        print(f"chapters/{name}.md")
        for label, cell, check, test in coverage(name, tested):
            holes += None in (cell, check, test)
            print(f"  {label:26} cell {cell or 'MISSING':>7}  check {check or 'MISSING':>7}  "
                  f"test {test or 'MISSING'}")
    print(f"{holes} equations lack a cell, a check or a test." if holes
          else "Every equation has a cell, a check and a test.")
    return int(holes > 0)


if __name__ == "__main__":
    sys.exit(in_words(main))
