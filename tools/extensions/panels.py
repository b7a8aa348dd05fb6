"""A plot of several panels side by side, as matplotlib's SVG, with the panels below each other.

Of a grid the columns are. A phone shows that one: the letters keep their size.
"""
import re
from itertools import chain
from xml.etree import ElementTree

import numpy as np
from matplotlib.transforms import Affine2D, Bbox

SVG = "{http://www.w3.org/2000/svg}"
GLYPH = [(0, -20), (64, 76)]  # corners of a letter, about: hundredths of its size
GAP = 4
BELOW = 12  # from one row to the next


def numbers(text):
    """The numbers in a piece of SVG."""
    return [float(number) for number in re.findall(r"-?\d+\.?\d*", text)]


def transform(part):
    """What moves a part of the picture."""
    moves = {"translate": Affine2D.translate, "scale": Affine2D.scale,
             "rotate": Affine2D.rotate_deg}
    found = Affine2D()
    for name, values in reversed(re.findall(r"(\w+)\(([^)]*)\)", part.get("transform", ""))):
        moves[name](found, *numbers(values))
    return found


def corners(part):
    """Points around all that a part draws outside its axes' frames."""
    name = part.tag.removeprefix(SVG)
    if name == "defs" or part.get("clip-path"):
        return np.empty((0, 2))
    own = []
    if name == "path":
        own = np.reshape(numbers(part.get("d")), (-1, 2))
    elif name == "use":
        own = [numbers(f"{part.get('x')} {part.get('y')}")] if part.get("x") else GLYPH
    points = [np.reshape(own, (-1, 2)), *map(corners, part)]
    return transform(part).transform(np.concatenate(points))


def box(points):
    """The box around some points."""
    return Bbox([np.min(points, 0), np.max(points, 0)])


def frame(axes):
    """The box of a plot's axes; None where they have none."""
    path = axes.find(f"{SVG}g[@id]/{SVG}path")
    return None if path is None else box(np.reshape(numbers(path.get("d")), (-1, 2)))


def has_scale(axes):
    """Whether words or numbers stand at its left."""
    *_, left = [part for part in axes if part.get("id", "").startswith("matplotlib.axis")]
    return any(part.get("id", "").startswith("text") for part in left.iter())


def title(axes, inner):
    """The letters of what stands above a plot's frame."""
    return [part.get("{http://www.w3.org/1999/xlink}href") for text in axes.findall(f"{SVG}g")
            if text.get("id", "").startswith("text") and box(corners(text)).y1 <= inner.y0
            for part in text.iter(f"{SVG}use")]


def grid(figure):
    """The columns of a figure's panels, from the left: each a list of (axes, frame), from above.

    None where there are no plots side by side, or other rows in one column than in another.
    """
    axes = [part for part in figure if part.get("id", "").startswith("axes")]
    found = {}
    for part, inner in zip(axes, map(frame, axes), strict=True):
        if inner is None or inner.width < 60:
            return []
        found.setdefault(round(inner.x0), []).append((part, inner))
    rows = {tuple((round(inner.y0), round(inner.y1)) for _, inner in column)
            for column in found.values()}
    return [found[x] for x in sorted(found)] if len(rows) == 1 and len(found) > 1 else []


def panels(figure):
    """A list of boxes for each column of panels; none where no panels are side by side.

    A column whose scale stands at the first one's left takes that with it. A title that is the
    first one's is not said again.
    """
    columns = grid(figure)
    if not columns or not has_scale(columns[0][0][0]):
        return []
    around = [Bbox.union([box(corners(part)) for part, _ in column]) for column in columns]
    top, bottom = min(one.y0 for one in around), max(one.y1 for one in around)
    scale, found = (around[0].x0, columns[0][0][1].x0 - GAP), []
    first = title(*columns[0][0])
    for column, outer in zip(columns, around, strict=True):
        part, inner = column[0]
        spans = [(outer.x0, outer.x1)] if has_scale(part) else [
            scale, (inner.x0 - GAP, outer.x1)]
        again = found and beside(len(columns)) == 1 and first and title(part, inner) == first
        y0 = inner.y0 - GAP if again else top
        found.append([Bbox([(x0, y0), (x1, bottom)]) for x0, x1 in spans])
    return found


def columns(legend):
    """A legend's columns, or a text as it is: a list of one box for each."""
    found = []
    for part in sorted((box(corners(part)) for part in legend), key=lambda one: one.x0):
        if not found or part.x0 - found[-1].x1 > 15:  # more than between a line and its name
            found.append(part)
        else:
            found[-1] = Bbox.union([found[-1], part])
    return [[one.padded(2 * GAP, GAP)] for one in found]


def length(row):
    """How wide a row is."""
    return sum(piece.width for parts in row for piece in parts)


def beside(columns):
    """How many columns of panels stand beside each other on a phone."""
    return 1 if columns < 4 else 2


def rows(figure):
    """The rows of the stacked picture, and its width; none where no panels are side by side."""
    found = panels(figure)
    if not found:
        return [], 0
    number = beside(len(found))
    middle = [found[i:i + number] for i in range(0, len(found), number)]
    width, above, below = max(map(length, middle)), [], []
    for part in figure:
        if part.get("id", "").startswith(("legend", "text")):
            there = above if box(corners(part)).y0 < found[0][0].y0 else below
            there.append([])
            for column in columns(part):
                if there[-1] and length([*there[-1], column]) > width:
                    there.append([])
                there[-1].append(column)
    return [*above, *middle, *below], width


def stacked(svg):
    """The text of an SVG file with its panels below each other, four and more two by two.

    None where there are no panels side by side.
    """
    root = ElementTree.fromstring(svg)
    figure = root.find(f"{SVG}g[@id='figure_1']")
    if figure is None or not (found := rows(figure))[0]:
        return None
    root.remove(figure)
    ElementTree.SubElement(root, f"{SVG}defs").append(figure)
    ElementTree.SubElement(root, f"{SVG}rect",
                           {"fill": "#ffffff", "width": "100%", "height": "100%"})
    y, width = GAP, found[1] + 2 * GAP
    for row in found[0]:
        scale, heights = min(1, found[1] / length(row)), []
        x = (width - length(row) * scale) / 2
        for piece in chain(*row):
            at = {"x": x, "y": y, "width": piece.width * scale, "height": piece.height * scale}
            view = ElementTree.SubElement(root, f"{SVG}svg", {
                name: f"{value:.2f}" for name, value in at.items()})
            view.set("viewBox", " ".join(f"{value:.2f}" for value in piece.bounds))
            ElementTree.SubElement(view, f"{SVG}use", {"href": "#figure_1"})
            x += at["width"]
            heights.append(at["height"])
        y += max(heights) + BELOW
    root.attrib.update({"width": f"{width:.2f}pt", "height": f"{y:.2f}pt",
                        "viewBox": f"0 0 {width:.2f} {y:.2f}"})
    return ElementTree.tostring(root, "unicode")
