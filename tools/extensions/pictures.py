"""A Sphinx extension: each plot and drawing also in colours for the dark, and for phones.

In the dark lines, text and tints change; pixels, such as photographs and colour maps, and text
on them do not. On a phone panels stand below each other, and a caption says so; what has one
panel scrolls there. The page loads what it shows, when it comes into view;
``_static/enlarge.js`` enlarges it.
"""
import re
from pathlib import Path
from xml.etree import ElementTree

from tools.extensions.panels import SVG, box, corners, frame, stacked

GROUND, TEXT = (18, 18, 18), (206, 214, 221)  # of the dark theme
# What a colour is in the dark. Black and white are the text's and the page's.
PARTNERS = {(0, 0, 0): TEXT, (0, 114, 178): (64, 158, 230)}
# What its tints are of: text on them is light.
DEEP = {(230, 159, 0): (140, 97, 0), (240, 228, 66): (120, 114, 33),
        (204, 121, 167): (160, 90, 130), (0, 158, 115): (0, 140, 102)}
COLORS = [(0, 0, 0), (0, 114, 178), (213, 94, 0), (0, 158, 115), (204, 121, 167),
          (230, 159, 0), (86, 180, 233), (240, 228, 66)]
HEX = re.compile(r"#[0-9a-fA-F]{6}\b")
IMAGE = re.compile(r'<img [^>]*src="([^"]*_images/)([^"/]+)\.svg"[^>]*>')
FIGURE = re.compile(r"<figure .*?</figure>", re.DOTALL)
LARGE = 500  # points: letters are too small where a phone shows all of it
STACKED = re.compile(r'-narrow\.svg.*?<figcaption>(.*?)</figcaption>', re.DOTALL)
# What a caption calls panels, and what they are on a phone.
PLACES = {"left": "above", "right": "below"}
SIDE = re.compile(r"\b(left|right)(?=\)| without\b| with\b)", re.IGNORECASE)
ElementTree.register_namespace("", SVG[1:-1])
ElementTree.register_namespace("xlink", "http://www.w3.org/1999/xlink")


def mix(color, share):
    """So much of a colour on the dark ground."""
    return tuple(round(to * share + on * (1 - share)) for to, on in zip(color, GROUND))


def turned(found):
    """A colour for the dark: a tint of the book's colours on white is one on the ground.

    Other colours, as those of a colour map, stay.
    """
    rgb = [int(found[0][i:i + 2], 16) for i in (1, 3, 5)]
    for color in COLORS:
        away = [255 - part for part in color]
        share = sum((255 - x) * y for x, y in zip(rgb, away)) / sum(y * y for y in away)
        if all(abs(255 - y * share - x) < 2 for x, y in zip(rgb, away)):
            deep = DEEP.get(color, color) if share < 0.9 else color
            return "#" + bytes(mix(PARTNERS.get(color, deep), share)).hex()
    return found[0]


def on_pixels(axes):
    """The texts that stand on the image of a plot's axes."""
    inner = frame(axes)
    if axes.get("id", "").startswith("axes") and inner and axes.find(f".//{SVG}image") is not None:
        for part in axes.findall(f"{SVG}g"):
            if part.get("id", "").startswith("text") and inner.containsx(
                    (at := box(corners(part))).x0) and inner.containsy(at.y1):
                yield part


def lighten_ground(root):
    """Keep an image's ground light: where it has no pixel is not where its colour map is dark."""
    for axes in root.iter(f"{SVG}g"):
        if axes.get("id", "").startswith("axes") and axes.find(f".//{SVG}image") is not None:
            ground = axes.find(f"{SVG}g[@id]/{SVG}path")
            if ground is not None:  # without a frame there is none
                ground.set("style", f"fill: #{bytes(TEXT).hex()}")


def darken(svg):
    """The text of an SVG file, in colours for the dark."""
    root = ElementTree.fromstring(svg)
    stay = [text for axes in root.iter(f"{SVG}g") for text in on_pixels(axes)]
    still = {part for text in stay for part in text.iter()}
    for part in root.iter():
        for name in {"style", "fill", "stroke"} & part.attrib.keys():
            if part not in still:
                part.attrib[name] = HEX.sub(turned, part.attrib[name])
    lighten_ground(root)
    for part, color in [(root, TEXT), *((text, (0, 0, 0)) for text in stay)]:
        part.set("fill", "#" + bytes(color).hex())  # of what says nothing
    return ElementTree.tostring(root, "unicode")


def points(svg):
    """A picture's width and height."""
    return tuple(map(float, re.findall(r'viewBox="\S+ \S+ (\S+) (\S+)"', svg)[0]))


def size(svg):
    """A picture's size as attributes, so that the page keeps its room."""
    width, height = points(svg)
    return f'width="{width * 4 / 3:.0f}" height="{height * 4 / 3:.0f}"'


def places(found):
    """A caption of panels that stand below each other on a phone, with the words for both."""
    def both(word):
        there = PLACES[word[0].lower()]
        there = there.capitalize() if word[0][0].isupper() else there
        return (f'<span class="in-row">{word[0]}</span><span class="in-stack">{there}</span>')

    return found[0].replace(found[1], SIDE.sub(both, found[1]))


def replace(app, _page, _template, context, _doctree):
    """Put four pictures in the place of each of a page: light and dark, whole and stacked."""
    sources = {name: app.srcdir / path for path, name in app.builder.images.items()}
    folder = Path(app.outdir, app.builder.imagedir)

    def pictures(found):
        tag, path, stem = found[0], found[1], found[2]
        whole = sources[f"{stem}.svg"].read_text(encoding="utf-8")
        drawn = sources[f"{stem}.svg"].with_name(f"{stem}-narrow.svg")
        narrow = drawn.read_text(encoding="utf-8") if drawn.exists() else stacked(whole)
        html = ""
        folder.mkdir(exist_ok=True)
        for end, color in ("", str), ("-dark", darken):
            (folder / f"{stem}{end}.svg").write_text(color(whole), encoding="utf-8")
            html += f'<picture class="in{end or "-light"}">'
            if narrow:
                (folder / f"{stem}{end}-narrow.svg").write_text(color(narrow), encoding="utf-8")
                html += (f'<source media="(max-width: 600px)" {size(narrow)} '
                         f'srcset="{path}{stem}{end}-narrow.svg">')
            image = tag.replace(f"{stem}.svg", f"{stem}{end}.svg")
            html += f'{image.replace("<img", f"<img loading=lazy {size(whole)}")}</picture>'
        kind = "" if narrow else " whole large" if points(whole)[0] > LARGE else " whole"
        return f'<span class="picture{kind}">{html}</span>'

    if "body" in context:
        body = IMAGE.sub(pictures, context["body"])
        context["body"] = FIGURE.sub(lambda figure: STACKED.sub(places, figure[0]), body)


def setup(app):
    """See to every page."""
    app.connect("html-page-context", replace)
    return {"parallel_read_safe": True}
