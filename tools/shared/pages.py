"""Where the pages of the book in print end, chosen for a whole chapter at once.

TeX fills one page after the other, and a cell that does not fit leaves a hole before it. Here
all the pages of a chapter are chosen together, as TeX chooses the lines of a paragraph, so
that the worst hole is small. ``bookprint.sty`` notes the places where a page may begin, in a
first pass on endless sheets, and begins the pages where this module says.
"""
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import NamedTuple

GAP = 0.22  # of a page: more empty than that is not to be seen (0.25 with what skips leave)
POINT = 65536  # scaled points
SPLIT = 0.15  # the price of a page that begins within an output, beside squares of gaps
SHRINK = 0.22  # what pictures may lose of their height, that a page holds more
SPACE = 12  # points that may be added at each free place, that a page looks full


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


class Page(NamedTuple):
    """A page: its first place, the scale of its pictures, the space added at its places."""

    number: int
    scale: float = 1
    space: float = 0


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


def price(used, height, pictures=0, added=0, last=False):
    """What a page costs: for what is empty, or for pictures that are smaller.

    added: the space that its places get.
    """
    if used > height:
        return 10 * ((used - height) / pictures) ** 2 if pictures else 0
    gap = 1 - used / height
    if last:
        return 0.1 * (gap > 0.9)  # a few lines alone on a chapter's last page
    return gap ** 2 + 100 * max(0, gap - added / height - GAP)


def space(free, left, height):
    """What each of a page's free places gets where this much is left: more for a hole."""
    if left <= 0 or not free:
        return 0
    most = SPACE if left - SPACE * free < height / 6 else 2 * SPACE
    return min(most, left / free)


def pages(places, height):
    """The pages of one chapter.

    What is higher than a page has one of its own, and TeX breaks it.
    """
    parts = heights(places)
    best = [(0.0, 0, Page(0))]  # for each place: the least price so far, its last page
    for end in range(1, len(places)):
        found, pictures, last = [], 0.0, end == len(parts)
        for start in range(end - 1, -1, -1):
            used = sum(parts[start:end]) - places[start].skip
            pictures += places[start].pictures
            if used - SHRINK * pictures > height and found:
                break
            split = SPLIT if places[start].kind == "split" else 0
            scale = 1 - max(0, used - height) / pictures if pictures else 1
            free = sum(place.kind == "free" for place in places[start + 1:end])
            added = 0 if last else space(free, height - used, height)
            cost = split + price(used, height, pictures, free * added, last)
            page = Page(places[start].number, max(1 - SHRINK, scale), added)
            found.append((best[start][0] + cost, start, page))
        best.append(min(found))
    chosen, at = [], len(parts)
    while at:
        _, at, page = best[at]
        chosen.append(page)
    return chosen[::-1]


def plan(text, height):
    """The pages of the book, from TeX's notes."""
    return [page for chapter in chapters(read(text)) for page in pages(chapter, height)]
