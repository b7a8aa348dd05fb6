"""Measure what each page of the built site weighs, and how long it keeps a phone busy.

Weight: all that the page loads, text compressed. Blocking: what tasks take beyond 50 ms each
until the page is at rest, in Chromium slowed down to a quarter. The median of some loads.
"""
import argparse
import statistics
import sys

from tools.shared.command import WordsError, in_words
from tools.shared.source import ROOT
from tools.shared.web import FLAGS, browser_path, serve

HTML = ROOT / "_build" / "html"
PHONE = {"viewport": {"width": 390, "height": 844}, "device_scale_factor": 3, "is_mobile": True,
         "has_touch": True}
WATCH = """new PerformanceObserver(list => { for (const task of list.getEntries())
    window.blocked = (window.blocked || 0) + task.duration - 50; }).observe(
    {type: 'longtask', buffered: true})"""


def load(browser, url):
    """Load a page on a slow phone; returns the milliseconds that it blocks."""
    context = browser.new_context(**PHONE)
    page = context.new_page()
    context.new_cdp_session(page).send("Emulation.setCPUThrottlingRate", {"rate": 4})
    page.add_init_script(WATCH)
    page.goto(url, wait_until="networkidle")
    page.wait_for_timeout(1000)
    blocked = page.evaluate("window.blocked || 0")
    context.close()
    return blocked


def main(argv=None):
    """Print a line for each page; returns an exit status."""
    parser = argparse.ArgumentParser(prog="python -m tools.weigh", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pages", nargs="*", help="such as chapters/resnet (default: all)")
    parser.add_argument("--loads", type=int, default=3,
                        help="how often each is loaded (default: %(default)s)")
    args = parser.parse_args(argv)
    from playwright.sync_api import sync_playwright  # slow to load
    pages = args.pages or sorted(path.relative_to(HTML).with_suffix("").as_posix()
                                 for path in HTML.rglob("*.html") if "_static" not in path.parts)
    if missing := [name for name in pages or ["index"] if not (HTML / f"{name}.html").exists()]:
        raise WordsError(f"no page {', '.join(missing)} in {HTML}: `make book` builds the site")
    if not browser_path():
        raise WordsError("no browser: install chromium")
    with serve(HTML) as server, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path(), args=FLAGS)
        for name in pages:
            server.sent.clear()
            blocked = [load(browser, f"{server.url}{name}.html") for _ in range(args.loads)]
            print(f"{name:24} {sum(server.sent.values()) / 1e3:6.0f} kB "
                  f"{statistics.median(blocked):6.0f} ms", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(in_words(main))
