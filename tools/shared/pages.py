"""Where the pages of the book in print end, chosen for a whole chapter at once.

TeX fills one page after the other, and a cell that does not fit leaves a hole before it. Here
all the pages of a chapter are chosen together, as TeX chooses the lines of a paragraph, so
that the worst hole is small. ``bookprint.sty`` notes the places where a page may begin, in a
first pass on endless sheets, and begins the pages where this module says.
"""
from dataclasses import dataclass, replace
from itertools import pairwise

GAP = 0.22  # of a page: more empty than that is not to be seen (0.25 with what skips leave)
POINT = 65536  # scaled points
SPLIT = 0.15  # the price of a page that begins within an output, beside squares of gaps
SHRINK = 0.22  # what pictures may lose of their height, that a page holds more


@dataclass(frozen=True)
class Place:
    """Where a page may begin.

    kind: "chapter" (a page must begin), "free" or "split" (within a cell's outputs).
    skip: the space below it, in points, that is gone where a page begins.
    depth: what is above it on its sheet; sheet: the number of its sheet.
    pictures: the height of the pictures between it and the next place.
    """

    number: int
    kind: str
    skip: float
    depth: float
    sheet: int
    pictures: float = 0


def read(text):
    """The places that TeX noted, a line each: number, kind, skip, depth, sheet, in scaled points.

    A picture's line has its height as the depth.
    """
    places = []
    for line in text.splitlines():
        number, kind, *rest = line.split()
        skip, depth, sheet = map(int, rest)
        if kind != "picture":
            places.append(Place(int(number), kind, skip / POINT, depth / POINT, sheet))
        elif places:
            pictures = places[-1].pictures + depth / POINT
            places[-1] = replace(places[-1], pictures=pictures)
    return places


def chapters(places):
    """The places of each chapter, the next one's first place at its end."""
    starts = [i for i, place in enumerate(places) if place.kind == "chapter"]
    return [places[start:stop + 1] for start, stop in pairwise(starts)]


def heights(places):
    """The height of what lies between each place and the next."""
    return [after.depth - (before.depth if before.sheet == after.sheet else 0)
            for before, after in pairwise(places)]


def price(used, height, pictures, last):
    """What a page costs: for what is empty, or for pictures that are smaller."""
    if used > height:
        return 10 * ((used - height) / pictures) ** 2 if pictures else 0
    gap = 1 - used / height
    if last:
        return 0.1 * (gap > 0.9)  # a few lines alone on a chapter's last page
    return gap ** 2 + 100 * max(0, gap - GAP)


def pages(places, height):
    """The pages of one chapter: the first place of each, and the scale of its pictures.

    What is higher than a page has one of its own, and TeX breaks it.
    """
    parts = heights(places)
    best = [(0.0, 0, 1.0)]  # for each place: the least price so far, its last page's begin, scale
    for end in range(1, len(places)):
        found, pictures = [], 0.0
        for start in range(end - 1, -1, -1):
            used = sum(parts[start:end]) - places[start].skip
            pictures += places[start].pictures
            if used - SHRINK * pictures > height and found:
                break
            split = SPLIT if places[start].kind == "split" else 0
            scale = 1 - max(0, used - height) / pictures if pictures else 1
            cost = price(used, height, pictures, last=end == len(parts))
            found.append((best[start][0] + split + cost, start, max(1 - SHRINK, scale)))
        best.append(min(found))
    begun, at = [], len(parts)
    while at:
        _, at, scale = best[at]
        begun.append((places[at], scale))
    return begun[::-1]


def plan(text, height):
    """The pages of the book, from TeX's notes: the numbers of their first places, and scales."""
    return [(place.number, scale) for chapter in chapters(read(text))
            for place, scale in pages(chapter, height)]
