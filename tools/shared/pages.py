"""Where the pages of the book in print end, chosen for a whole chapter at once.

TeX fills one page after the other, and a cell that does not fit leaves a hole before it. Here
all the pages of a chapter are chosen together, as TeX chooses the lines of a paragraph, so
that the worst hole is small. ``bookprint.sty`` notes the places where a page may begin, in a
first pass on endless sheets, and begins the pages where this module says.
"""
from dataclasses import dataclass

GAP = 0.25  # of a page: white space that is not to be seen
SPLIT = 0.15  # the price of a page that begins within an output, beside squares of gaps


@dataclass(frozen=True)
class Place:
    """Where a page may begin.

    kind: "chapter" (a page must begin), "free", "split" (within a cell's outputs) or "end".
    depth: what is above it on its sheet, in points; sheet: the number of its sheet.
    """

    number: int
    kind: str
    depth: float
    sheet: int


def read(text):
    """The places that TeX noted, a line each: number, kind, depth in scaled points, sheet."""
    rows = [line.split() for line in text.splitlines()]
    return [Place(int(number), kind, int(depth) / 65536, int(sheet))
            for number, kind, depth, sheet in rows]


def chapters(places):
    """The places of each chapter, the next one's first place at its end."""
    starts = [i for i, place in enumerate(places) if place.kind in ("chapter", "end")]
    return [places[start:stop + 1] for start, stop in zip(starts, starts[1:], strict=False)]


def heights(places):
    """The height of what lies between each place and the next."""
    return [after.depth - (before.depth if before.sheet == after.sheet else 0)
            for before, after in zip(places, places[1:], strict=False)]


def price(gap, last):
    """What a page costs that leaves this share of it empty."""
    if last:
        return 0.1 * (gap > 0.9)  # a few lines alone on a chapter's last page
    return gap ** 2 + 100 * max(0, gap - GAP)


def pages(places, height):
    """The places of one chapter where its pages begin, but the first.

    What is higher than a page has one of its own, and TeX breaks it.
    """
    parts = heights(places)
    best = [(0.0, 0)]  # for each place: the least price so far, and where its last page began
    for end in range(1, len(places)):
        found, used = [], 0.0
        for start in range(end - 1, -1, -1):
            used += parts[start]
            if used > height and found:
                break
            split = SPLIT if places[start].kind == "split" else 0
            found.append((best[start][0] + split
                          + price(max(0, 1 - used / height), end == len(parts)), start))
        best.append(min(found))
    begun, at = [], best[-1][1]
    while at:
        begun.append(places[at])
        at = best[at][1]
    return begun[::-1]


def plan(text, height):
    """The numbers of the places where the book's pages begin, from TeX's notes."""
    return [place.number for chapter in chapters(read(text)) for place in pages(chapter, height)]
