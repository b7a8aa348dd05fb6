"""Broken formulas are found where they are written."""
import pytest
from docutils import nodes
from docutils.utils import new_document

from tools.extensions import maths


@pytest.mark.parametrize("formula, wrong", [
    (r"\fracc{a}{b}", r"\fracc is no command"), (r"\frac{a}{b", "} is missing"),
    (r"\left( a", "right is missing"), (r"a}", "} closes nothing"),
    (r"\begin{aligned} a \end{cases}", "end cases closes nothing")])
def test_a_fault_is_named(formula, wrong):
    assert wrong in maths.fault(formula)


@pytest.mark.parametrize("formula", [r"\{ a \}", r"\\{a}", r"\left\{ a \right.", r"\hat{x}_k^{(i)}",
                                     r"\begin{aligned} a &= b \\ c &= d \end{aligned}"])
def test_sound_formulas_pass(formula):
    assert maths.fault(formula) is None


def test_the_warning_has_the_formulas_place(monkeypatch):
    document, told = new_document("page.md"), []
    for text in "a", "{a":
        document += nodes.math("", text)
    monkeypatch.setattr(maths.LOG, "warning", lambda *args, **options: told.append(options))
    maths.look(None, document)
    assert [one["location"].astext() for one in told] == ["{a"]
