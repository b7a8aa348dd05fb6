"""The built site in a real browser: from files, and from a server as GitHub Pages is one."""
import functools
import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import urlsplit
from urllib.request import urlopen
from xml.etree import ElementTree

import nbformat
import pytest
from axe_playwright_python.sync_playwright import Axe
from conftest import executed_at, wait_for
from fontTools.ttLib import TTFont
from markdown_it import MarkdownIt
from mdit_py_plugins.colon_fence import colon_fence_plugin
from mdit_py_plugins.dollarmath import dollarmath_plugin
from mdit_py_plugins.front_matter import front_matter_plugin
from test_book import page as parsed

from tools.extensions import outputs, search, share
from tools.extensions.pictures import GROUND
from tools.shared import citations, colours, reading
from tools.shared.source import ROOT, chapter_names, chapter_path, number, read_chapter
from tools.shared.web import serve

CHAPTERS = [f"chapters/{name}" for name in chapter_names()]
NUMBERED = [f"chapters/{name}" for name in chapter_names(numbered=True)]
PAGES = [*CHAPTERS, "chapters/scaling", "index", "results", "references"]
ALL_PAGES = [*PAGES, "genindex", "search"]
# Side bars glide, colours fade.
AT_REST = "document.getAnimations().every(one => one.playState != 'running')"
ALL_LAID_OUT = "section, div.cell { content-visibility: visible !important; }"
NARROW, PHONE, TABLET, DESKTOP = 320, 390, 768, 1440


@pytest.fixture(scope="module")
def site(book):
    """The built site's folder."""
    return book / "_build" / "html"


@pytest.fixture(scope="module")
def server(site, base):
    """Serves the site below its base URL's path and compresses text; ``sent`` has the sizes."""
    with serve(site, base.path) as server:
        yield server


@pytest.fixture(scope="module")
def base(site):
    """The base URL that the site was built for, in parts."""
    return urlsplit(parsed(site.parents[1], "index").select_one("link[rel=canonical]")["href"]
                    .removesuffix("index.html"))


def visit(browser, url, **options):
    """Open a page; returns it, and the list of all that went wrong meanwhile."""
    page, wrong = browser.new_context(**options).new_page(), []
    here = urlsplit(url)

    def check(request):
        there = urlsplit(request.url)
        if there.scheme not in ("data", "blob") and there[:2] != here[:2]:
            wrong.append(f"external: {request.url}")

    page.on("request", check)
    page.on("requestfailed", lambda request: wrong.append(f"failed: {request.url}"))
    page.on("response", lambda response: response.status >= 400 and wrong.append(
        f"{response.status}: {response.url}"))
    page.on("console", lambda message: message.type in ("error", "warning") and wrong.append(
        f"console: {message.text}"))
    page.on("pageerror", lambda error: wrong.append(f"error: {error}"))
    page.goto(url, wait_until="load")
    page.wait_for_load_state("networkidle")
    return page, wrong


def equations_of(text):
    """How many formulas a piece of MyST holds, those inside directives included."""
    parser = MarkdownIt().enable("table").use(dollarmath_plugin)
    tokens = parser.use(colon_fence_plugin).use(front_matter_plugin).parse(text)
    every = [one for token in tokens for one in [token, *(token.children or [])]]
    inside = [f"{token.info.partition('}')[2]}\n\n{token.content}" for token in tokens
              if token.type in ("fence", "colon_fence") and token.info.startswith("{")
              and not token.info.startswith("{code-cell}")]
    return (sum(token.type.startswith("math_") for token in every)
            + sum(map(equations_of, inside)))


def source_equations(book, name):
    """How many formulas a page's source holds, in text and in the captions of plots."""
    captions = [cell.metadata.get("mystnb", {}).get("figure", {}).get("caption", "")
                for cell in read_chapter(Path(name).name).cells] if name in CHAPTERS else []
    text = (book / f"{name}.md").read_text(encoding="utf-8")
    return sum(map(equations_of, [text, *captions]))


@pytest.fixture(scope="module", params=ALL_PAGES)
def opened(request, site, browser):
    """A page opened as a file: what it is called, the page, what went wrong."""
    page, wrong = visit(browser, (site / f"{request.param}.html").as_uri())
    yield SimpleNamespace(name=request.param, page=page, wrong=wrong)
    page.context.close()


def test_from_files_nothing_is_external_or_fails(opened):
    assert opened.wrong == []
    assert opened.page.locator("html").get_attribute("lang") == "en"


def test_every_equation_is_set_and_has_a_link(opened, book):
    page = opened.page
    count = page.locator("article mjx-container").count()
    assert opened.name not in PAGES or count == source_equations(book, opened.name)
    assert opened.name not in CHAPTERS or count > 0
    assert page.locator("mjx-merror, .math:not(:has(mjx-container math annotation))").count() == 0
    assert page.locator("div.math:not(:has(.eqno > a.headerlink))").count() == 0


def test_every_image_is_loaded(opened):
    """Those for the dark, too, and those that wait until they come into view."""
    images = opened.page.evaluate("""() => Promise.all([...document.images].map(async image => {
        image.loading = 'eager';
        return [image.src.slice(0, 80), await image.decode().then(() => true, () => false)];
    }))""")
    assert len(images) > (1 if opened.name in NUMBERED else 0)
    assert [source for source, loaded in images if not loaded] == []


def test_the_small_fonts_have_the_icons(site):
    fonts = (site / "_static" / "vendor" / "fontawesome" / "webfonts").glob("*.woff2")
    icons = {code for path in fonts for code in TTFont(path).getBestCmap()}
    theme, search, rocket, github, note = 0xf042, 0xf002, 0xf135, 0xf09b, 0xf05a
    assert {theme, search, rocket, github, note} <= icons


@pytest.mark.parametrize("width", [NARROW, PHONE, TABLET, DESKTOP])
def test_fits_the_width(opened, width):
    opened.page.set_viewport_size({"width": width, "height": 900})
    # What is not laid out cannot stick out.
    opened.page.add_style_tag(content=ALL_LAID_OUT)
    assert opened.page.evaluate("document.scrollingElement.scrollWidth") <= width
    wait_for(lambda: opened.page.evaluate(AT_REST))
    shown, clipped = opened.page.evaluate("""() => {
        const shown = [...document.querySelectorAll('.bd-main button, .bd-main a.btn, input')]
            .filter(one => one.checkVisibility() && one.getBoundingClientRect().width);
        return [shown.length, shown.filter(one => {
            const box = one.getBoundingClientRect();
            return box.left < 0 || box.right > innerWidth;
        }).map(one => one.outerHTML)];
    }""")
    assert shown > 3 and clipped == []
    searches = opened.page.locator("[type=search], .search-button-field, .search-button")
    assert sum(one.is_visible() for one in searches.all()) == (
        2 if opened.name == "search" else 1)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_that_matters(opened, theme):
    opened.page.set_viewport_size({"width": DESKTOP, "height": 900})
    opened.page.evaluate("theme => document.documentElement.dataset.theme = theme", theme)
    wait_for(lambda: opened.page.evaluate(AT_REST))
    found = Axe().run(opened.page).response["violations"]
    assert [(one["id"], one["impact"], node["html"][:200], node["failureSummary"])
            for one in found if one["impact"] != "minor" for node in one["nodes"]] == []


@pytest.mark.parametrize("name", ALL_PAGES)
def test_from_a_server_it_is_complete_and_light(server, browser, name):
    server.sent.clear()
    page, wrong = visit(browser, f"{server.url}{name}.html")
    page.context.close()
    assert wrong == []
    assert sum(server.sent.values()) < 1.2e6, server.sent


def test_the_animation_works_by_keyboard(site, browser):
    page, _ = visit(browser, (site / "chapters" / "densenet.html").as_uri())
    frames = page.locator(".frames").first
    slider, shown = frames.get_by_role("slider"), frames.locator("figcaption:visible")
    before = shown.inner_text()
    slider.focus()
    page.keyboard.press("ArrowLeft")
    after = shown.inner_text()
    assert after != before and slider.get_attribute("aria-valuetext") == after
    page.keyboard.press("Home")
    assert shown.inner_text() != after
    page.context.close()


@pytest.mark.parametrize("name", CHAPTERS)
def test_pictures_answer_to_keys_and_fit_a_narrow_phone(site, browser, name):
    page, wrong = visit(browser, (site / f"{name}.html").as_uri())
    page.set_viewport_size({"width": 320, "height": 900})
    pictures = page.locator(".explorable")
    assert pictures.count() or not number(Path(name).name)
    for picture in pictures.all():
        picture.evaluate("one => { location.hash = one.id; }")  # it is drawn once it is near
        picture.locator("svg").first.wait_for()
        assert not picture.locator("img").is_visible()
        told = picture.locator("[aria-live]")
        seen = [told.inner_text()]
        for control in picture.locator("input, select, button, [role=slider], "
                                       "[role=checkbox]").all()[:4]:
            for key in ("End", "Space", "ArrowLeft", "ArrowUp"):
                control.press(key)
                seen.append(told.inner_text())
        assert len(set(seen)) > 2, seen  # not every control matters in every state
    assert page.evaluate("document.scrollingElement.scrollWidth") <= 320 and wrong == []
    page.context.close()


def test_a_value_is_dragged_and_the_train_switch_works(site, browser):
    page, _ = visit(browser, (site / "chapters" / "batch_norm.html").as_uri())
    picture = page.locator("#explore-normalize")
    picture.scroll_into_view_if_needed()
    dot, told = picture.locator("[role=slider]").first, picture.locator("[aria-live]")
    dot.scroll_into_view_if_needed()
    box, before = dot.bounding_box(), told.inner_text()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + 90, box["y"], steps=4)
    page.mouse.up()
    moved = told.inner_text()
    assert moved != before and moved.startswith("Mean")
    picture.get_by_role("checkbox").check()
    assert told.inner_text().startswith("Moving mean")
    page.context.close()


@pytest.mark.parametrize("name", CHAPTERS)
def test_without_scripts_formulas_and_a_still_are_left(site, browser, name):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto((site / f"{name}.html").as_uri())
    for picture in page.locator(".explorable").all():
        assert picture.locator("img").is_visible() and not picture.locator("svg").count()
    formulas = page.locator("article .math mjx-container:visible")
    assert formulas.count() > 5
    for formula in formulas.all():
        box = formula.locator("mjx-math").bounding_box()
        assert box["width"] > 5 and box["height"] > 5
    context.close()


def copied(page):
    """What the clipboard would get of the page's selection."""
    return page.evaluate("""() => {
        const event = new ClipboardEvent('copy', {clipboardData: new DataTransfer()});
        document.dispatchEvent(event);
        return event.clipboardData.getData('text/plain');
    }""")


def test_a_formula_is_copied_as_tex(site, browser):
    page, _ = visit(browser, (site / "chapters" / "batch_norm.html").as_uri())
    formula = page.locator("#equation-eq-bn-standardize")
    formula.locator("mjx-math").click()
    [source] = re.findall(r"\$\$\n([^$]*)\n\$\$ \(eq-bn-standardize\)",
                          (site.parents[1] / "chapters" / "batch_norm.md").read_text())
    assert copied(page) == f"$${colours.plain(source)}$$"
    assert formula.locator("mjx-container.marked").count() == 1
    page.evaluate("""() => getSelection().selectAllChildren(
        [...document.querySelectorAll('p')].find(one => one.textContent.startsWith('Third')))""")
    assert r"The small constant $\epsilon > 0$ keeps" in copied(page)
    page.evaluate("getSelection().removeAllRanges()")
    assert page.locator(".marked").count() == 0
    page.context.close()


def test_the_theme_measures_nothing_of_a_long_page(site):
    script = site / "_static" / "scripts" / "pydata-sphinx-theme.js"
    assert '[":not(*)"].join' in script.read_text(encoding="utf-8")


def test_a_wide_formula_scrolls_in_its_place(site, browser):
    page, _ = visit(browser, (site / "chapters" / "batch_norm.html").as_uri(),
                    viewport={"width": 320, "height": 900})
    formula = page.locator("#equation-eq-bn-jacobian > mjx-container")
    state = "one => [one.tabIndex, one.dataset.more?.trim(), one.classList.contains('wide')]"
    formula.scroll_into_view_if_needed()
    wait_for(lambda: formula.evaluate(state) == [0, "right", True])
    formula.evaluate("one => one.scrollLeft = one.scrollWidth")
    wait_for(lambda: formula.evaluate(state) == [0, "left", True])
    number = page.locator("#equation-eq-bn-jacobian > .eqno").bounding_box()
    assert number["x"] + number["width"] <= 320
    assert number["y"] >= formula.bounding_box()["y"] + formula.bounding_box()["height"]
    page.context.close()


@pytest.mark.parametrize("name", CHAPTERS)
def test_printed_formulas_are_whole(site, browser, name):
    page, _ = visit(browser, (site / f"{name}.html").as_uri(),
                    viewport={"width": 680, "height": 900})  # 18 cm
    page.emulate_media(media="print")
    assert page.evaluate("""() => [...document.querySelectorAll('.math')].filter(one =>
        one.checkVisibility() && one.querySelector('mjx-math').getBoundingClientRect().right > 680)
        .map(one => one.querySelector('annotation').textContent)""") == []
    page.context.close()


def test_code_has_copy_buttons_and_solutions_are_folded(site, browser):
    page, _ = visit(browser, (site / "chapters" / "resnet.html").as_uri())
    named, cells = page.locator("button.copybtn[aria-label]"), page.locator(".cell_input").count()
    wait_for(lambda: named.count() == page.locator("button.copybtn").count() == cells > 20)
    names = named.evaluate_all("all => all.map(one => one.ariaLabel)")
    assert len(set(names)) == cells and names[0] == "Copy the code of cell 1"
    solution = page.locator(".solution.dropdown").first
    content = solution.locator(".cell, p:not(.admonition-title)").first
    assert not content.is_visible()
    solution.locator("summary").click()
    assert content.is_visible()
    assert page.locator("a.left-prev").get_attribute("href") == "batch_norm.html"
    assert page.locator("a.right-next").get_attribute("href") == "densenet.html"
    page.context.close()


def test_dark_mode_turns_page_and_pictures(site, browser):
    page, _ = visit(browser, (site / "chapters" / "resnet.html").as_uri(), color_scheme="light")
    shown = """() => [...document.querySelectorAll('.picture img')]
        .filter(image => image.checkVisibility()).map(image => [
            image.src.endsWith('-dark.svg'), getComputedStyle(image).filter,
            getComputedStyle(image).backgroundColor])"""
    ground = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(shown)
    assert page.evaluate(ground) == "rgb(255, 255, 255)" and len(light) > 10
    assert not any(dark for dark, *_ in light)
    while page.locator("html").get_attribute("data-mode") != "dark":
        page.locator(".theme-switch-button:visible").click()
    assert page.evaluate(ground) == f"rgb{GROUND}"
    assert page.evaluate(shown) == [[True, "none", "rgba(0, 0, 0, 0)"]] * len(light)
    page.context.close()


@pytest.mark.parametrize("width", [PHONE, DESKTOP])
def test_a_picture_is_enlarged_and_closes(site, browser, width):
    page, wrong = visit(browser, (site / "chapters" / "resnet.html").as_uri(),
                        viewport={"width": width, "height": 800})
    picture, dialog = page.locator("figure .picture").nth(2), page.locator("dialog.enlarged")
    image, button = picture.locator("img:visible"), picture.get_by_role("button")
    assert button.get_attribute("aria-label").startswith("Enlarge Fig. 2.")
    image.scroll_into_view_if_needed()
    small = image.bounding_box()["width"]
    ways = ((image.click, lambda: page.keyboard.press("Escape")),
            (lambda: button.press("Enter"), dialog.locator("img").click),
            (button.click, dialog.get_by_role("button", name="Close").click))
    for enlarge, close in ways:
        enlarge()
        large = dialog.locator("img")
        assert dialog.is_visible() and large.bounding_box()["width"] > 1.5 * small
        assert large.get_attribute("alt") == image.get_attribute("alt")
        close()
        assert not dialog.is_visible()
        assert button.evaluate("button => button === document.activeElement")
    assert wrong == []
    page.context.close()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_outputs_stand_apart_from_code_and_keep_their_columns(site, browser, theme):
    page, _ = visit(browser, (site / "chapters" / "batch_norm.html").as_uri(),
                    color_scheme=theme, viewport={"width": NARROW, "height": 800})
    outputs = page.locator(".cell_output > .output:is(.stream, .text_plain, .text_html:has(table))")
    page.add_style_tag(content=ALL_LAID_OUT)  # as if a reader had been everywhere
    page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true; })")
    wait_for(lambda: outputs.evaluate_all(
        "all => all.every(one => one.tabIndex == 0 || one.scrollWidth <= one.clientWidth + 1)"))
    found = outputs.evaluate_all("""all => all.map(one => [
        getComputedStyle(one).backgroundColor, one.scrollWidth > one.clientWidth + 1, one.tabIndex,
        [...one.querySelectorAll('pre')].every(
            pre => getComputedStyle(pre).whiteSpace == 'pre')])""")
    code = page.locator(".cell_input").first.evaluate(
        "one => getComputedStyle(one).backgroundColor")
    assert page.locator(".cell_output table").count() > 10
    assert {ground for ground, *_ in found} != {code} and all(whole for *_, whole in found)
    scrolled = [focus for _, scrolls, focus, _ in found if scrolls]
    assert len(scrolled) > 10 and set(scrolled) == {0}  # by keyboard, too
    page.context.close()


def test_a_copy_button_copies_its_cell(server, browser):
    page, wrong = visit(browser, f"{server.url}chapters/resnet.html",
                        permissions=["clipboard-read", "clipboard-write"])
    button = page.locator("button.copybtn").first
    code = button.locator("xpath=preceding-sibling::pre").inner_text()
    button.press("Enter")
    wait_for(lambda: button.inner_text() == "Copied")
    assert page.evaluate("navigator.clipboard.readText()") == code.strip()
    wait_for(lambda: button.inner_text() == "Copy")
    assert wrong == []
    page.context.close()


@pytest.mark.parametrize("width", [NARROW, PHONE, DESKTOP])
def test_menus_open_and_close_by_keyboard_and_stay_on_the_screen(site, browser, width):
    page, wrong = visit(browser, (site / "chapters" / "resnet.html").as_uri(),
                        viewport={"width": width, "height": 800})
    buttons = page.locator(".bd-header-article .dropdown-toggle")
    for button in buttons.all():
        menu = button.locator("xpath=following-sibling::ul")
        button.press("Enter")
        box = menu.bounding_box()
        assert box["x"] >= 0 and box["x"] + box["width"] <= width
        page.keyboard.press("Tab")
        page.keyboard.press("Escape")
        assert not menu.is_visible() and button.evaluate("one => one === document.activeElement")
        assert button.get_attribute("aria-expanded") == "false"
    buttons.first.click()
    page.mouse.move(0, 0)  # a menu that the mouse is on stays
    page.locator("body").dispatch_event("click")  # an open one covers what else one would click
    assert buttons.count() == 3 and page.locator(".dropdown-menu:visible").count() == 0
    assert wrong == []
    page.context.close()


def test_lines_have_a_good_length(site, browser):
    page, _ = visit(browser, (site / "chapters" / "densenet.html").as_uri(),
                    viewport={"width": DESKTOP, "height": 800})
    cut = page.locator(".cell_input pre").evaluate_all(
        "all => all.filter(one => one.scrollWidth > one.clientWidth).map(one => one.innerText)")
    assert cut == []
    size = "one => parseFloat(getComputedStyle(one).fontSize)"
    assert page.locator(".cell_input pre").first.evaluate(size) >= 14.4
    signs = page.locator("article section > p:not(:has(.math))").evaluate_all("""all => all.map(
        one => one.innerText.length * parseFloat(getComputedStyle(one).lineHeight)
            / one.offsetHeight)""")
    assert 55 < max(signs) < 78, sorted(signs)[-5:]
    page.context.close()


def test_every_control_shows_its_focus(opened):
    opened.page.set_viewport_size({"width": DESKTOP, "height": 900})
    opened.page.keyboard.press("Tab")  # from now on focus comes from the keyboard
    unseen = opened.page.evaluate("""() => [...document.querySelectorAll(
        '.bd-main :is(button, a.btn, input, summary), .bd-sidebar-primary :is(button, a)')].filter(
        one => one.checkVisibility()).filter(one => {
            one.focus();
            const style = getComputedStyle(one);
            return one === document.activeElement
                && (style.outlineStyle == 'none' || parseFloat(style.outlineWidth) < 2);
        }).map(one => one.outerHTML.slice(0, 200))""")
    assert unseen == []


@pytest.mark.parametrize("words, name", [("moving mean", "batch_norm"),
                                         ("growth rate", "densenet")])
def test_search_finds(server, browser, words, name):
    page, wrong = visit(browser, f"{server.url}search.html?q={words.replace(' ', '+')}")
    hit = page.locator("#search-results li a").first
    hit.wait_for()
    hits = page.locator("#search-results li a").evaluate_all("all => all.map(one => one.href)")
    assert any(f"/chapters/{name}.html" in one for one in hits)
    assert wrong == []
    page.context.close()


@pytest.fixture(params=["a folder", "a server"])
def place(request, site):
    """The site's address, opened as files or from a server."""
    if request.param == "a folder":
        return f"{site.as_uri()}/"
    return request.getfixturevalue("server").url


@pytest.mark.parametrize("width", [PHONE, DESKTOP])
def test_search_leads_to_a_section_by_keyboard(place, browser, width):
    page, wrong = visit(browser, f"{place}index.html", viewport={"width": width, "height": 900})
    page.keyboard.press("Control+k")
    page.keyboard.type("skip connection")
    page.keyboard.press("Enter")
    page.wait_for_url("**/search.html?*")
    first = page.locator("#search-results li a").first
    first.wait_for()
    field = page.locator("input[type=search]:visible").last
    assert field.evaluate("one => parseFloat(getComputedStyle(one).paddingLeft) > "
                          "one.previousElementSibling.getBoundingClientRect().right - "
                          "one.getBoundingClientRect().left")  # the icon stands before the words
    assert page.locator("#search-results mark").first.is_visible()
    assert page.get_by_role("status").inner_text().endswith("sections found.")
    for _ in range(20):
        page.keyboard.press("Tab")
        if first.evaluate("one => one === document.activeElement"):
            break
    page.keyboard.press("Enter")
    page.wait_for_url("**/chapters/resnet.html#*")
    section = page.locator(f"[id='{urlsplit(page.url).fragment}']")
    assert "shortcut" in section.inner_text() and wrong == []
    page.context.close()


@pytest.mark.parametrize("words, title", [
    ("running mean", "Prediction: the moving average"), ("identity shortcut", "shortcut"),
    ("internal covariate shift", "What the literature says"),
    ("backpropagation", "The backward pass"), ("1x1 convolution", "1 × 1 convolutions"),
    ("gradient checkpointing", "Checkpointing"), ("torch.cat", "concatenate"),
    ("growth rate", "Growth rate"), ("Ioffe", "Ioffe and Szegedy, 2015")])
def test_search_knows_other_words(site, browser, words, title):
    page, wrong = visit(browser, f"{(site / 'search.html').as_uri()}?q={words.replace(' ', '+')}")
    hits = page.locator("#search-results li > a")
    hits.first.wait_for()
    assert any(title in one for one in hits.all_inner_texts()[:3]), hits.all_inner_texts()
    assert wrong == []
    page.context.close()


def test_search_says_that_it_found_nothing(site, browser):
    page, wrong = visit(browser, f"{(site / 'search.html').as_uri()}?q=zeppelin")
    wait_for(lambda: "Nothing was found" in page.get_by_role("status").inner_text())
    assert page.locator("#search-results li").count() == 0 and wrong == []
    page.context.close()


@pytest.mark.parametrize("group", search.SYNONYMS)
def test_the_book_has_one_of_the_words_that_mean_the_same(group):
    text = " ".join(chapter_path(name).read_text(encoding="utf-8").lower()
                    for name in chapter_names())
    assert any(phrase in " ".join(text.split()) for phrase in group)


def card_of(page, link):
    """The preview's card when the mouse has come to the link."""
    link.hover()
    card = page.locator("#preview")
    card.wait_for()
    return card


def test_a_link_shows_what_it_leads_to(place, browser):
    page, wrong = visit(browser, f"{place}chapters/resnet.html",
                        viewport={"width": DESKTOP, "height": 900})
    for target, words in (("references.html", "Deep residual learning"), ("#equation-eq", "(2."),
                          ("#fig-resnet", "Fig. 2."), ("batch_norm.html#ch", "Deep networks")):
        card = card_of(page, page.locator(f"article a.reference.internal[href*='{target}']").first)
        assert words in card.inner_text() and card.locator("[id]").count() == 0
        box = card.bounding_box()
        assert box["x"] >= 0 and box["x"] + box["width"] <= DESKTOP
        page.mouse.move(box["x"] + 9, box["y"] + 9, steps=5)  # it stays when the mouse goes there
        page.wait_for_timeout(400)
        assert card.is_visible()
        page.keyboard.press("Escape")
        assert not card.is_visible()
    assert wrong == []
    page.context.close()


def test_a_preview_comes_by_keyboard_and_goes_with_the_focus(site, browser):
    page, _ = visit(browser, (site / "chapters" / "resnet.html").as_uri())
    link, card = page.locator("article a.reference.internal").first, page.locator("#preview")
    link.evaluate("""link => {
        const stop = document.createElement('button');
        link.before(stop);
        stop.focus();
    }""")
    page.keyboard.press("Tab")
    assert card.is_visible() and link.get_attribute("aria-describedby") == "preview"
    page.keyboard.press("Tab")
    assert link.get_attribute("aria-describedby") is None
    page.context.close()


def test_a_touch_follows_a_link_at_once(site, browser):
    page, _ = visit(browser, (site / "chapters" / "resnet.html").as_uri(), has_touch=True,
                    viewport={"width": PHONE, "height": 800})
    page.locator("article a.reference.internal[href*='references.html']").first.tap()
    page.wait_for_url("**/references.html#*")
    page.context.close()


@pytest.mark.parametrize("name", [*CHAPTERS, "index", "results"])
def test_citations_say_authors_and_year(site, name):
    soup = parsed(site.parents[1], name)
    cited = [link.get_text() for link in soup.select("article a[href*='references.html#']")]
    assert cited and set(cited) <= set(citations.labels().values())
    for tag in soup.select("meta[name=description], meta[property='og:description']"):
        assert not re.search(r"\[ ?[A-Z]|,,", tag["content"])
    entries = parsed(site.parents[1], "references").select(".citation > .label")
    assert {f"[{label}]" for label in cited} <= {one.get_text() for one in entries}


def test_two_sources_never_have_one_name():
    labels = citations.labels()
    assert len(set(labels.values())) == len(labels)
    assert labels["he2016"] == "He et al., 2016a" and labels["vanlaarhoven2017"].startswith("van")


@pytest.mark.parametrize("name", NUMBERED)
def test_exercises_and_solutions_lead_to_each_other(site, name):
    soup = parsed(site.parents[1], name)
    ids = [tag["id"] for tag in soup.select("[id]")]
    assert len(set(ids)) == len(ids)
    exercises = soup.select(".exercise")
    assert exercises
    for exercise in exercises:
        [link] = exercise.select(".to-solution a")
        solution = soup.find(id=link["href"].removeprefix("#"))
        assert "solution" in solution["class"] and not solution.select(".admonition-title a")
        assert solution.select(".to-exercise a")[-1]["href"] == f"#{exercise['id']}"


def test_a_solution_unfolds_where_one_clicks_and_where_a_link_leads(site, browser):
    address = (site / "chapters" / "resnet.html").as_uri()
    page, wrong = visit(browser, address)
    solution = page.locator("#solution-ex-resnet-pixel")
    content = solution.locator("p:not(.admonition-title)").first
    bar = solution.locator(".admonition-title")
    for shown in True, False:
        bar.click(position={"x": 60, "y": 12})  # on its words
        assert content.is_visible() == shown and page.url == address
    page.locator("#ex-resnet-pixel .to-solution a").press("Enter")
    wait_for(content.is_visible)
    bar.click()
    page.locator("#ex-resnet-pixel .to-solution a").press("Enter")
    wait_for(content.is_visible)
    solution.locator(".to-exercise a").press("Enter")
    page.wait_for_url("**#ex-resnet-pixel")
    page.context.close()
    page, _ = visit(browser, f"{address}#solution-ex-resnet-euler")
    wait_for(page.locator("#solution-ex-resnet-euler .to-exercise").is_visible)
    assert wrong == []
    page.context.close()


@pytest.mark.parametrize("name", CHAPTERS)
def test_a_chapter_says_how_long_it_takes(site, name):
    words = parsed(site.parents[1], name).select_one(".effort").get_text()
    assert re.match(r"About \d+ minutes to read, \d+ minutes? to run on ", words)


def test_longer_text_takes_longer_to_read():
    def minutes(*cells):
        return reading.minutes_to_read(nbformat.v4.new_notebook(cells=list(cells)))

    text = nbformat.v4.new_markdown_cell("word " * 2300)
    code = nbformat.v4.new_code_cell("x = 1\n" * 600)
    folded = nbformat.v4.new_code_cell("x = 1\n" * 600, metadata={"tags": ["hide-input"]})
    assert (minutes(text), minutes(text, code), minutes(text, folded)) == (10, 20, 10)


def test_what_a_cell_prints_keeps_its_place():
    text = functools.partial(nbformat.v4.new_output, "stream", name="stdout")
    picture = nbformat.v4.new_output("display_data", {"text/plain": "a picture"})
    joined = outputs.join_streams([text(text="a\n"), text(text="b\n"), picture, text(text="✓ c\n")])
    assert [one.get("text") for one in joined] == ["a\nb\n", None, "✓ c\n"]


@pytest.mark.parametrize("width", [PHONE, DESKTOP])
def test_contents_and_steps_follow_a_jump(site, browser, width):
    page, wrong = visit(browser, (site / "chapters" / "resnet.html").as_uri(),
                        viewport={"width": width, "height": 900})
    for section in "it-is-not-a-lack-of-power", "summary", "nested-function-classes":
        page.evaluate("id => document.getElementById(id).scrollIntoView()", section)
        page.locator(f"#pst-page-toc-nav [aria-current][href='#{section}']").wait_for(
            state="attached")
        assert page.locator("#pst-page-toc-nav [aria-current]").count() == 1
    page.get_by_role("link", name="Section after").click()
    page.wait_for_url("**#the-idea-of-the-residual-block")
    page.get_by_role("link", name="Section before").click()
    page.wait_for_url("**#nested-function-classes")
    assert wrong == []
    page.context.close()


def test_notes_stand_in_the_margin_or_in_the_text(site, browser):
    page, _ = visit(browser, (site / "chapters" / "resnet.html").as_uri(),
                    viewport={"width": DESKTOP, "height": 900})
    note, text = page.locator("div.margin").first, page.locator("article p").first
    assert note.bounding_box()["x"] > text.bounding_box()["x"] + text.bounding_box()["width"]
    for height in 0.1, 0.85:  # of the window's height; the contents make room all over it
        note.evaluate("(note, height) => scrollBy(0, note.getBoundingClientRect().top"
                      " - height * innerHeight)", height)
        page.wait_for_function("""note => {
            const {x, y, width} = note.getBoundingClientRect();
            return note.contains(document.elementFromPoint(x + width / 2, y + 20)); }""",
                               arg=note.element_handle())
    page.set_viewport_size({"width": PHONE, "height": 800})
    box = note.bounding_box()
    assert box["x"] >= 0 and box["x"] + box["width"] <= PHONE
    page.context.close()


def test_the_front_page_says_the_title_once_and_times_signs_hold(site):
    assert parsed(site.parents[1], "index").title.get_text() == "Normalize, Add, Concatenate"
    prose = parsed(site.parents[1], "chapters/resnet").select("article p")
    text = " ".join(tag.get_text() for tag in prose)
    assert "3\N{NO-BREAK SPACE}×\N{NO-BREAK SPACE}3" in text and " × 3" not in text


@pytest.mark.parametrize("made", [True, False])
def test_the_pdf_button_leads_to_the_book_or_prints_the_page(made):
    button = {"label": "download-pdf-button", "type": "javascript", "text": ".pdf"}
    context = {"header_buttons": [{"buttons": [button]}], "pathto": lambda name, _: f"../{name}"}
    share.lead_to_pdf(SimpleNamespace(tags={"pdf"} if made else set()), "", "", context, None)
    assert (button["type"], button["text"]) == (("link", ".pdf") if made else
                                                ("javascript", "Print"))
    assert button.get("url") == ("../normalize-add-concatenate.pdf" if made else None)


def test_on_paper_nothing_is_folded(site, browser):
    page, _ = visit(browser, (site / "chapters" / "resnet.html").as_uri())
    assert page.locator("details:not([open])").count() > 3
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator("details:not([open])").count() == 0
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.locator("details:not([open])").count() > 3
    page.context.close()


@pytest.mark.parametrize("address", ["nothing", "chapters/nothing/deep/below.html"])
def test_a_wrong_address_leads_back(server, browser, address):
    page, wrong = visit(browser, server.url + address, viewport={"width": DESKTOP, "height": 900})
    assert len(wrong) == 2 and all("404" in one for one in wrong)  # the page; the console says so
    assert page.get_by_role("heading", name="Page not found").is_visible()
    page.get_by_role("link", name="ResNet").first.click()
    page.wait_for_url(f"{server.url}chapters/resnet.html")
    page.context.close()


@pytest.mark.parametrize("name", CHAPTERS)
def test_download_is_the_notebook_that_runs_anywhere(site, name):
    soup = parsed(site.parents[1], name)
    [link] = soup.select("a.btn-download-notebook-button")
    path = ((site / name).parent / link["href"]).resolve()
    published = ROOT / f"{name}.ipynb"
    if not published.exists():
        pytest.skip(f"{published.name} is not published yet: make publish writes it")
    assert path.read_bytes() == published.read_bytes()
    assert nbformat.read(path, as_version=4).metadata["accelerator"] == "GPU"


def test_front_page_leads_to_chapters_colab_and_pdf(site):
    links = {link["href"] for link in parsed(site.parents[1], "index").select("article a[href]")}
    for name in NUMBERED:
        assert any(link.startswith(f"{name}.html") for link in links)
        assert any(link.startswith("https://colab.research.google.com/github/")
                   and link.endswith(f"/blob/main/{name}.ipynb") for link in links)
    pdf = "normalize-add-concatenate.pdf"
    assert (pdf in links) == (site / pdf).exists()


@pytest.mark.parametrize("made", [None, "of this text", "of another text"])
def test_the_pdf_is_on_the_site_if_it_was_made_of_this_text(tmp_path, monkeypatch, capsys, made):
    for name in "PDF", "MADE_OF":
        monkeypatch.setattr(share, name, tmp_path / name)
    monkeypatch.setattr(share, "state", lambda: "of this text")
    if made:
        share.PDF.write_bytes(b"%PDF-")
        share.MADE_OF.write_text(made)
    app = SimpleNamespace(config=SimpleNamespace(html_extra_path=[]), tags=set())
    share.take_pdf(app)
    assert (app.config.html_extra_path, app.tags) == (
        ([str(share.PDF)], {"pdf"}) if made == "of this text" else ([], set()))
    assert ("older than this text" in capsys.readouterr().out) == (made == "of another text")


@pytest.mark.parametrize("name", ALL_PAGES)
def test_drawn_data_and_the_smoke_budget_are_told_on_every_page(site, name):
    banner = parsed(site.parents[1], name).select_one(".bd-header-announcement").get_text()
    assert "drawn stand-in" in banner and "smoke budget: its numbers mean nothing" in banner


@pytest.mark.parametrize("name", PAGES)
def test_pages_can_be_found_and_shared(site, base, name):
    soup = parsed(site.parents[1], name)
    meta = {tag.get("property") or tag.get("name"): tag.get("content")
            for tag in soup.select("meta")}
    assert soup.select_one("link[rel=canonical]")["href"] == f"{base.geturl()}{name}.html"
    assert len(soup.title.get_text()) > 20 and len(meta["description"]) > 40
    picture = meta["og:image"].removeprefix(base.geturl())
    assert (site / picture).read_bytes()[16:24] == bytes.fromhex("000004b000000276")  # 1200 x 630


def test_sitemap_lists_the_pages(site, base):
    places = [one.text for one in ElementTree.parse(site / "sitemap.xml").iter()
              if one.tag.endswith("loc")]
    assert sorted(places) == sorted(f"{base.geturl()}{name}.html" for name in PAGES)


@pytest.fixture(scope="module")
def preview(book, few_images):
    """The live preview of the book's copy, once it answers (before that it sees no change): its
    address, what it has said so far, a list of lines, and the runs that were kept before."""
    before = executed_at(book)
    env = {**os.environ, "BUDGET": "smoke", "FASHION_MNIST_ROOT": str(few_images)}
    server = subprocess.Popen([sys.executable, "-u", "-m", "tools.serve", "--port", "0"], cwd=book,
                              env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              start_new_session=True)
    said = []
    thread = threading.Thread(target=lambda: said.extend(iter(server.stdout.readline, "")))
    thread.start()
    try:
        wait_for(lambda: any("http://" in line or "failed" in line for line in said))
        built = [line for line in said if line.startswith("Built")]
        assert built, said
        url = built[0].split()[-1]
        wait_for(lambda: urlopen(url, timeout=60))
        yield SimpleNamespace(url=url, said=said, before=before)
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(60)
        thread.join(60)


def test_live_preview_shows_a_change_and_executes_nothing(book, preview):
    text = (book / "index.md").read_text()
    fetch = functools.partial(urlopen, f"{preview.url}/index.html", timeout=60)
    try:
        wait_for(lambda: b"Normalize" in fetch().read())
        (book / "index.md").write_text(text.replace("## What you need", "A new line.\n\n## A"))
        wait_for(lambda: b"A new line." in fetch().read())
    finally:
        (book / "index.md").write_text(text)
    wait_for(lambda: b"A new line." not in fetch().read())
    assert executed_at(book) == preview.before


def test_live_preview_tells_which_line_failed_and_keeps_the_old_page(book, preview):
    path = book / "chapters" / "scaling.md"
    text = path.read_text()
    line = text.split("\n").index("data = lab.fashion_mnist()") + 1
    try:
        path.write_text(text.replace("data = lab.fashion_mnist()", "data = lab.no_such_name()"))
        wait_for(lambda: any("The build failed" in line for line in preview.said))
        told = "".join(preview.said)
        assert f"chapters/scaling.md:{line}: cell 2/" in told and "no_such_name" in told
        page = urlopen(f"{preview.url}/chapters/scaling.html", timeout=60).read()
        assert b"no_such_name" not in page
    finally:
        path.write_text(text)
    assert executed_at(book) == preview.before


def test_pages_ask_nothing_of_other_hosts(site, browser):
    for name in PAGES:
        html = (site / f"{name}.html").read_text(encoding="utf-8")
        assert "thebe" not in html and "Content-Security-Policy" in html
    page, wrong = visit(browser, (site / "index.html").as_uri())
    blocked = page.evaluate("""() => new Promise(done => {
        document.addEventListener('securitypolicyviolation', event => done(event.blockedURI));
        const image = document.createElement('img');
        image.src = 'http://127.0.0.1:9/picture.png';
        document.body.append(image);
        setTimeout(() => done('nothing'), 5000);
    })""")
    assert blocked.startswith("http://127.0.0.1:9")
