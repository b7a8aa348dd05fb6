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
SHRINK = 0.28  # what pictures may lose of their height, that a page holds more
SPACE = 12  # points that may be added at each free place, that a page looks full
TIGHT = 3  # points that may be taken there, that a page holds more


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


def space(free, left, height):
    """What each of a page's free places gets where this much is left: more for a hole."""
    if not free:
        return 0
    most = SPACE if left - SPACE * free < height / 6 else 2 * SPACE
    return min(most, max(-TIGHT, left / free))


def scale(over, pictures):
    """How much smaller pictures are, for a page that is too full by this much."""
    return max(1 - SHRINK, 1 - max(0, over) / pictures) if pictures else 1


def price(gap, added, smaller, last):
    """What a page costs for these shares of it: empty, added to its places; smaller pictures."""
    if last:
        return 0.1 * (gap > 0.9)  # a few lines alone on a chapter's last page
    return max(0, gap) ** 2 + 10 * (1 - smaller) ** 2 + 100 * max(0, gap - added - GAP)


def page(places, used, height, last=False):
    """A page with these places that is full up to ``used``, and its price."""
    free = sum(place.kind == "free" for place in places[1:])
    left = height - used
    added = min(0, space(free, left, height)) if last else space(free, left, height)
    smaller = scale(free * added - left, sum(place.pictures for place in places))
    cost = price(left / height, free * added / height, smaller, last)
    return cost, Page(places[0].number, smaller, added)


def pages(places, height):
    """The pages of one chapter.

    What is higher than a page has one of its own, and TeX breaks it.
    """
    parts = heights(places)
    best = [(0.0, 0, Page(0))]  # for each place: the least price so far, its last page
    for end in range(1, len(places)):
        found = []
        for start in range(end - 1, -1, -1):
            inside = places[start:end]
            used = sum(parts[start:end]) - places[start].skip
            least = sum(TIGHT * (place.kind == "free") for place in inside[1:])
            least += sum(SHRINK * place.pictures for place in inside)
            if used - least > height and found:
                break
            cost, chosen = page(inside, used, height, last=end == len(parts))
            split = SPLIT if places[start].kind == "split" else 0
            found.append((best[start][0] + split + cost, start, chosen))
        best.append(min(found))
    found, at = [], len(parts)
    while at:
        _, at, chosen = best[at]
        found.append(chosen)
    return found[::-1]


def plan(text, height):
    """The pages of the book, from TeX's notes."""
    return [found for chapter in chapters(read(text)) for found in pages(chapter, height)]
