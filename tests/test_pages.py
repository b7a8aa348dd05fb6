"""The pages of the book in print are chosen well: full, and no chapter's cells fall apart."""
import itertools

from hypothesis import given
from hypothesis import strategies as st

from tools.shared import pages

HEIGHT = 100


def noted(heights, kinds=None):
    """TeX's notes of one chapter with parts of these heights."""
    depths = [0, *itertools.accumulate(heights)]
    kinds = ["chapter", *(kinds or ["free"] * (len(heights) - 1)), "chapter"]
    # The chapter's own place lies at the end of the sheet before.
    return "".join(f"{i} {kind} 0 {65536 * (900 if i == 1 else depth)} {1 if i == 1 else 2}\n"
                   for i, (kind, depth) in enumerate(zip(kinds, depths, strict=True), start=1))


def begun(notes):
    """The numbers of the places where pages begin."""
    return [page.number for page in pages.plan(notes, HEIGHT)]


def filled(heights, begun):
    """How full each page is."""
    ends = [n - 1 for n in begun] + [len(heights)]
    return [sum(heights[start:end]) for start, end in itertools.pairwise(ends)]


@given(st.lists(st.integers(5, 60), min_size=1, max_size=20))
def test_no_page_is_overfull_and_filling_one_after_the_other_is_no_better(heights):
    places = pages.read(noted(heights))

    def cost(starts):
        ends = [number - 1 for number in starts] + [len(heights)]
        return sum(pages.page(places[start:end], sum(heights[start:end]), HEIGHT,
                              last=end == len(heights))[0]
                   for start, end in itertools.pairwise(ends))

    chosen = pages.plan(noted(heights), HEIGHT)
    starts = [page.number for page in chosen]
    for page, full, after in zip(chosen, filled(heights, starts),
                                 [*starts[1:], len(heights) + 1], strict=True):
        assert full + page.space * (after - page.number - 1) <= HEIGHT + 1e-9
    # As TeX does it: as much as fits.
    greedy, full = [1], 0
    for number, height in enumerate(heights, start=1):
        if full + height > HEIGHT:
            greedy, full = [*greedy, number], 0
        full += height
    assert cost(starts) <= cost(greedy) + 1e-9


def test_a_hole_is_shared_among_pages():
    # Full pages first would leave 60 of the second one empty.
    heights = [20] * 7 + [80]
    assert sorted(filled(heights, begun(noted(heights)))) == [60, 80, 80]


def test_an_output_is_split_only_where_that_fills_a_page():
    assert begun(noted([40, 30, 30, 30], ["free", "split", "free"])) == [1, 4]
    assert begun(noted([50, 40, 50], ["split", "split"])) == [1, 3]


def test_what_is_higher_than_a_page_is_left_to_tex():
    assert begun(noted([30, 250, 30])) == [1, 2, 3]


def test_what_is_left_of_a_page_is_shared_among_its_places():
    assert [page.space for page in pages.plan(noted([30, 30, 30, 60]), HEIGHT)] == [5, 0]
    assert [page.space for page in pages.plan(noted([30, 40, 70, 60]), HEIGHT)] == [24, 0, 0]


def test_space_at_a_page_s_begin_is_gone():
    notes = noted([60, 60, 60]).replace("2 free 0 ", f"2 free {20 * 65536} ")
    assert begun(notes) == [1, 2]


def test_each_chapter_is_planned_alone():
    sheets = ("1 chapter 0 0 1\n2 free 0 {0} 2\n3 chapter 0 {1} 2\n"
              "4 free 0 {0} 3\n5 chapter 0 {1} 3\n")
    assert begun(sheets.format(60 * 65536, 120 * 65536)) == [1, 2, 3, 4]
    assert begun(sheets.format(20 * 65536, 40 * 65536)) == [1, 3]


def test_pictures_shrink_where_the_page_holds_more_for_it():
    notes = noted([60, 50, 90]).splitlines(keepends=True)
    notes.insert(2, f"0 picture 0 {50 * 65536} 0\n")
    assert pages.plan("".join(notes), HEIGHT) == [(1, 0.86, -3), (3, 1, 0)]
    assert begun(noted([60, 50, 90])) == [1, 2, 3]
