"""The pages of the book in print are chosen well: full, and no chapter's cells fall apart."""
import itertools

from hypothesis import given
from hypothesis import strategies as st

from tools.shared import pages

HEIGHT = 100


def noted(heights, kinds=None):
    """TeX's notes of one chapter with parts of these heights."""
    depths = [0, *itertools.accumulate(heights)]
    kinds = ["chapter", *(kinds or ["free"] * (len(heights) - 1)), "end"]
    # The chapter's own place lies at the end of the sheet before.
    return "".join(f"{i} {kind} {65536 * (900 if i == 1 else depth)} {1 if i == 1 else 2}\n"
                   for i, (kind, depth) in enumerate(zip(kinds, depths, strict=True), start=1))


def filled(heights, begun):
    """How full each page is."""
    ends = [n - 1 for n in begun] + [len(heights)]
    return [sum(heights[start:end]) for start, end in itertools.pairwise([0, *ends])]


@given(st.lists(st.integers(5, 60), min_size=1, max_size=20))
def test_no_page_is_overfull_and_none_can_be_better(heights):
    def worst(begun):
        return max([HEIGHT - full for full in filled(heights, begun)[:-1]], default=0)

    begun = pages.plan(noted(heights), HEIGHT)
    assert max(filled(heights, begun)) <= HEIGHT
    # As TeX does it: as much as fits.
    greedy, full = [], 0
    for number, height in enumerate(heights, start=1):
        if full + height > HEIGHT:
            greedy, full = [*greedy, number], 0
        full += height
    assert worst(begun) <= max(worst(greedy), pages.GAP * HEIGHT)


def test_a_hole_is_shared_among_pages():
    # Full pages first would leave 60 of the second one empty.
    heights = [20] * 7 + [80]
    assert sorted(filled(heights, pages.plan(noted(heights), HEIGHT))) == [60, 80, 80]
    assert pages.GAP == 0.25


def test_an_output_is_split_only_where_that_fills_a_page():
    assert pages.plan(noted([40, 30, 30, 30], ["free", "split", "free"]), HEIGHT) == [4]
    assert pages.plan(noted([50, 40, 50], ["split", "split"]), HEIGHT) == [3]


def test_what_is_higher_than_a_page_is_left_to_tex():
    assert pages.plan(noted([30, 250, 30]), HEIGHT) == [2, 3]


def test_each_chapter_is_planned_alone():
    sheets = "1 chapter 0 1\n2 free {0} 2\n3 chapter {1} 2\n4 free {0} 3\n5 end {1} 3\n"
    assert pages.plan(sheets.format(60 * 65536, 120 * 65536), HEIGHT) == [2, 4]
    assert pages.plan(sheets.format(20 * 65536, 40 * 65536), HEIGHT) == []
