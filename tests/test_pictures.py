"""Plots and drawings for the dark, as clear as those for light, and for phones."""
import re
from itertools import pairwise
from xml.etree import ElementTree

import matplotlib.pyplot as plt
import numpy as np
import pytest

from tools.extensions.panels import SVG, stacked
from tools.extensions.pictures import COLORS, GROUND, HEX, STACKED, TEXT, darken, places, turned
from tools.extensions.raceplots import d2l, for_phone, limit
from tools.shared.source import ROOT

DRAWN = [*(ROOT / "figures").glob("*.svg"), *(ROOT / "published").glob("*/*.svg")]


def rgb(color):
    """A colour's parts, 0 to 255."""
    return tuple(bytes.fromhex(color[1:]))


def contrast(one, other):
    """WCAG's ratio of two colours' luminances."""
    def luminance(color):
        parts = [part / 255 for part in color]
        linear = [x / 12.92 if x <= 0.03928 else ((x + 0.055) / 1.055) ** 2.4 for x in parts]
        return sum(x * weight for x, weight in zip(linear, (0.2126, 0.7152, 0.0722)))

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def dark(color):
    """What a colour becomes."""
    return HEX.sub(turned, color)


@pytest.mark.parametrize("color", COLORS)
def test_what_is_clear_on_white_is_clear_in_the_dark(color):
    code = "#" + bytes(color).hex()
    assert contrast(rgb(dark(code)), GROUND) > max(3, contrast(color, (255, 255, 255)) / 2)


def test_words_on_tints_are_clear():
    words = rgb(dark("#1a1a1a"))
    tints = [tint for path in (ROOT / "figures").glob("*.svg")
             for tint in set(HEX.findall(path.read_text(encoding="utf-8")))
             if rgb(tint) not in COLORS and contrast(rgb(tint), rgb("#1a1a1a")) > 8]
    assert len(tints) > 20
    assert [tint for tint in tints if contrast(rgb(dark(tint)), words) < 4.5] == []


def test_colours_are_those_that_turn():
    """A new colour of plots or drawings must be a tint of the book's colours."""
    for path in DRAWN:
        svg = path.read_text(encoding="utf-8")
        mapped = "QuadContourSet" in svg
        for color in set(HEX.findall(svg)):
            was, now = (contrast(rgb(color), (255, 255, 255)),
                        contrast(rgb(dark(color)), GROUND))
            assert mapped or now > 0.9 * was or now > 3.5, f"{path.name}: {color} {dark(color)}"


def test_lines_turn_and_pixels_and_what_stands_on_them_stay(tmp_path):
    fig, (left, right) = plt.subplots(1, 2)
    left.imshow([[0, 1], [2, 3]])
    left.text(0, 0, "on dark pixels", color="white")
    left.text(0.5, 0.9, "on light pixels")
    left.set_title("A title")
    fig.suptitle("Of both")
    right.plot([1, 2], color="#0072B2")
    fig.savefig(tmp_path / "plot.svg")
    plt.close(fig)
    light = (tmp_path / "plot.svg").read_text(encoding="utf-8")
    there = darken(light)
    pixels = [re.findall(r'base64,\s*([^"]+?)\s*"', svg) for svg in (light, there)]
    assert pixels[0] == pixels[1] != []
    assert "#0072b2" in light and "#0072b2" not in there and dark("#0072b2") in there
    assert re.search(rf'<svg [^>]*fill="{dark("#000000")}"', there)
    texts = dict(re.findall(r'<g id="(text_\d+)"( fill="#000000")?>', there))
    words = re.findall(r'<g id="(text_\d+)">\s*<!-- (.*?) -->', light)
    named = {word: bool(texts[name]) for name, word in words}
    assert named["on dark pixels"] and named["on light pixels"] and not named["A title"]
    assert not named["Of both"]
    assert len(re.findall("#ffffff", there)) == 1  # the white text
    assert f'style="fill: #{bytes(TEXT).hex()}"' in there  # the image's ground


@pytest.fixture
def plot(tmp_path):
    """Makes a figure of panels and a legend, as SVG."""
    def make(*grid, title=None, **options):
        fig, axes = plt.subplots(*grid, figsize=(8, 3), layout="constrained", **options)
        for i, ax in enumerate(np.ravel(axes)):
            ax.plot([1, 2], label=f"line {i}")
            ax.set_title(title or f"panel {i}")
        fig.legend(loc="outside lower center", ncol=4)
        fig.savefig(tmp_path / "plot.svg")
        plt.close(fig)
        return (tmp_path / "plot.svg").read_text(encoding="utf-8")
    return make


def views(svg):
    """Where the pieces of a stacked picture stand, and of what: x, y, width, height; what."""
    root = ElementTree.fromstring(svg)
    width, height = map(float, root.attrib["viewBox"].split()[2:])
    found = [([float(part.attrib[name]) for name in ("x", "y", "width", "height")],
              [float(number) for number in part.attrib["viewBox"].split()])
             for part in root.findall(f"{SVG}svg")]
    for (x, y, wide, high), _ in found:
        assert x >= 0 and y >= 0 and x + wide <= width and y + high <= height
    return width, found


@pytest.mark.parametrize("number, beside", [(2, 1), (3, 1), (4, 2)])
def test_panels_of_a_row_stand_below_each_other(plot, number, beside):
    light = plot(1, number)
    width, found = views(stacked(light))
    whole = float(re.findall(r'viewBox="0 0 (\S+)', light)[0])
    assert width < 0.7 * whole
    panels, legend = found[:number], found[number:]
    for i, ((_, y, *_), _) in enumerate(panels):
        assert (y > panels[i - 1][0][1]) == (i % beside == 0) or i == 0
    # Nothing of the figure is shown twice, or left out between the panels.
    spans = sorted((x, x + wide) for _, (x, _, wide, _) in panels)
    assert all(-1 < after - before < 12 for (_, before), (after, _) in pairwise(spans))
    assert all(at[1] > panels[-1][0][1] for at, _ in legend) and legend


def test_a_shared_scale_goes_with_each_panel(plot):
    _, found = views(stacked(plot(1, 2, sharey=True)))
    (first, scale, second), _ = found[:3], found[3:]
    assert scale[1][0] == pytest.approx(first[1][0], abs=1) and scale[1][2] < 50
    assert scale[0][1] == second[0][1] > first[0][1]
    assert second[0][0] == pytest.approx(scale[0][0] + scale[0][2], abs=0.1)


def test_the_columns_of_a_grid_stand_below_each_other(plot):
    light = plot(2, 2)
    _, (first, second, *legend) = views(stacked(light))
    whole = float(re.findall(r'viewBox="0 0 \S+ ([\d.]+)', light)[0])
    assert first[1][3] == second[1][3] > 0.75 * whole  # a view holds both rows
    assert second[0][1] > first[0][1] and legend


def test_a_title_of_all_panels_is_said_once(plot):
    different = views(stacked(plot(1, 2)))[1]
    same = views(stacked(plot(1, 2, title="panel 0")))[1]
    assert same[1][1][3] < different[1][1][3] - 5 and same[0][1][3] == different[0][1][3]


def test_a_caption_says_where_panels_stand_on_a_phone():
    figure = ('<figure><source srcset="a-narrow.svg"><figcaption>Forward (left), what is left '
              "(right). Left without it</figcaption></figure>")
    said = STACKED.sub(places, figure)
    row = re.sub(r'<span class="in-stack">\w+</span>', "", said)
    phone = re.sub(r'<span class="in-row">\w+</span>', "", said)
    assert re.sub("</?span[^>]*>", "", row) == figure
    assert "Forward (above), what is left (below). Above without it" in re.sub(
        "</?span[^>]*>", "", phone)


def test_a_race_of_one_panel_is_narrow_on_a_phone():
    times = {"median": 3, "low": 2, "high": 4}
    one, _ = d2l([{"network": "d2l's LeNet", "accuracy": 0.8, "source": "d2l-en, 1", "passed": 1,
                   "runs": 1, "ratio": times}])
    assert for_phone(one) and one.get_figwidth() < 5
    two, _ = limit([{"network": "LeNet", "ratio": times, "share": 0.5}])
    assert not for_phone(two)


@pytest.mark.parametrize("grid", [(1, 1), (2, 1)])
def test_what_is_not_side_by_side_stays(plot, grid):
    assert stacked(plot(*grid)) is None
