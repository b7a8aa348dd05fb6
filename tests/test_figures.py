"""The drawn figures: up to date, accessible, self-contained, not cut off."""
import importlib
import io
import re
import shutil
from itertools import combinations
from xml.etree import ElementTree

import matplotlib as mpl
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.patches import FancyBboxPatch, Patch
from PIL import Image

from figures import __main__ as command
from figures import draw

NAMES = draw.names()
SVG = "{http://www.w3.org/2000/svg}"


def read(name):
    return (draw.HERE / f"{name}.svg").read_text(encoding="utf-8")


def stale():
    """The figures whose file does not carry the hash of its source."""
    return [name for name in draw.names() if draw.digest(name) not in read(name)]


@pytest.fixture(params=NAMES)
def name(request):
    return request.param


@pytest.fixture
def source(name):
    return read(name)


@pytest.fixture
def axes(name):
    """The figure as matplotlib's objects, a pixel a point."""
    with mpl.rc_context(draw.STYLE):
        ax = importlib.import_module(f"figures.{name}").draw()
        ax.figure.set_dpi(72)
        FigureCanvasAgg(ax.figure).draw()
        yield ax


def test_a_figure_has_a_script_and_a_script_has_a_figure():
    assert NAMES == sorted(file.stem for file in draw.HERE.glob("*.svg"))


def test_figures_are_up_to_date():
    assert not stale(), "run: python -m figures"


@pytest.mark.parametrize("changed, expected", [("logo.py", ["logo"]), ("draw.py", NAMES)])
def test_a_changed_source_is_noticed(tmp_path, monkeypatch, changed, expected):
    copy = shutil.copytree(draw.HERE, tmp_path / "figures")
    monkeypatch.setattr(draw, "HERE", copy)
    with open(copy / changed, "a") as file:
        file.write("# a change\n")
    assert stale() == expected


def test_file_is_what_its_script_draws(name, source):
    if f"with matplotlib {mpl.__version__}," not in source:
        pytest.skip("drawn with another version of matplotlib")
    assert draw.svg(name) == source


def test_title_and_description(source):
    root = ElementTree.fromstring(source)
    assert [child.tag for child in root][:3] == [SVG + "title", SVG + "desc", SVG + "metadata"]
    assert all((child.text or "").strip() for child in root[:3])
    assert root.get("role") == "img"


def test_no_pictures_fonts_or_outside_references(source):
    root = ElementTree.fromstring(source)
    for element in root.iter():
        assert element.tag.removeprefix(SVG) not in {"image", "text", "script", "foreignObject"}
        for key, value in element.attrib.items():
            if key.endswith("href"):
                assert value.startswith("#")
    assert not re.search(r"url\((?!#)|@import|<!DOCTYPE|<!ENTITY", source)
    assert len(source.encode()) < 66_000


def test_a_png_stands_on_opaque_white_and_an_svg_on_nothing(name):
    image = Image.open(io.BytesIO(draw.render(name, "png", dpi=72))).convert("RGBA")
    assert image.getchannel("A").getextrema() == (255, 255)
    assert image.getpixel((0, 0)) == (255, 255, 255, 255)
    assert 'id="patch_1"' not in draw.render(name, "svg").decode().split("axes_1")[0]


def test_no_date_and_no_version_in_a_file():
    files = {format: draw.render("logo", format) for format in draw.METADATA}
    assert b"CreationDate" not in files["pdf"] and b"Software" not in files["png"]
    assert b"<metadata>" not in files["svg"]


def test_a_card_has_its_size_and_a_margin():
    image = Image.open(io.BytesIO(draw.card("three_ideas"))).convert("L")
    assert image.size == draw.CARD
    ink = image.point(lambda grey: 255 - grey).getbbox()
    assert ink is not None
    left, upper, right, lower = ink
    assert min(left, upper, image.width - right, image.height - lower) > 20


def test_the_command_draws_what_is_named(tmp_path, monkeypatch, capsys):
    copy = shutil.copytree(draw.HERE, tmp_path / "figures", ignore=shutil.ignore_patterns("*.svg"))
    monkeypatch.setattr(draw, "HERE", copy)
    with pytest.raises(SystemExit):
        command.main(["logo", "lego"])
    assert f"no figure lego; there are {', '.join(NAMES)}" in capsys.readouterr().err
    assert not list(copy.glob("*.svg"))
    command.main(["logo"])
    assert [path.name for path in copy.glob("*.svg")] == ["logo.svg"]


def test_nothing_is_cut_off(axes):
    canvas = axes.figure.bbox.padded(0.01)
    for artist in [*axes.texts, *axes.patches]:
        if artist is axes.patch or not artist.get_visible():
            continue
        extent = artist.get_window_extent()
        if isinstance(artist, Patch):
            extent = extent.padded(artist.get_linewidth() / 2)
        assert canvas.containsx(extent.x0) and canvas.containsx(extent.x1)
        assert canvas.containsy(extent.y0) and canvas.containsy(extent.y1)


def test_labels_do_not_overlap_and_stay_in_their_boxes(axes):
    labels = [(text.get_text(), text.get_window_extent())
              for text in axes.texts if text.get_text()]
    for (one, first), (other, second) in combinations(labels, 2):
        assert not first.overlaps(second), (one, other)
    for patch in axes.patches:
        if isinstance(patch, FancyBboxPatch):
            frame = patch.get_window_extent()
            for label, extent in labels:
                if frame.overlaps(extent):
                    assert frame.x0 < extent.x0 and extent.x1 < frame.x1, label


def test_text_is_large_enough(axes):
    """At least 9 points where the figure is as wide as the text, 16 cm."""
    assert axes.figure.bbox.width <= draw.WIDTH
    assert all(text.get_fontsize() >= 9 for text in axes.texts)
