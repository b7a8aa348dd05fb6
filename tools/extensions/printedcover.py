"""A Sphinx extension: the cover of the book in print, its colophon, and what its file says."""
from datetime import date
from pathlib import Path
from xml.sax.saxutils import escape

import matplotlib as mpl
import yaml

from figures.draw import render
from tools.shared import colours
from tools.shared.building import remarks, shown_runs
from tools.shared.printing import tex
from tools.shared.source import ROOT, git, read

SUBTITLE = ("Batch normalization, ResNet and DenseNet: every formula is code, and the code is "
            "checked")
COVER = "three_ideas"
FONTS = Path(mpl.get_data_path()) / "fonts" / "ttf"
LICENCES = {"MIT": "https://opensource.org/license/mit"}
KEYWORDS = "batch normalization, ResNet, DenseNet, PyTorch"
# What catalogues and readers' programs look for in a file (XMP, ISO 16684-1).
XMP = """\
<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/">
<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/"
 xmlns:pdf="http://ns.adobe.com/pdf/1.3/" xmlns:cc="http://creativecommons.org/ns#"
 xmlns:xmpRights="http://ns.adobe.com/xap/1.0/rights/">
<dc:title><rdf:Alt><rdf:li xml:lang="x-default">{title}</rdf:li></rdf:Alt></dc:title>
<dc:creator><rdf:Seq><rdf:li>{authors}</rdf:li></rdf:Seq></dc:creator>
<dc:description><rdf:Alt><rdf:li xml:lang="x-default">{subtitle}</rdf:li></rdf:Alt></dc:description>
<dc:rights><rdf:Alt><rdf:li xml:lang="x-default">{rights}</rdf:li></rdf:Alt></dc:rights>
<dc:language><rdf:Bag><rdf:li>{language}</rdf:li></rdf:Bag></dc:language>
<dc:source>{address}</dc:source>
<pdf:Keywords>{keywords}</pdf:Keywords>
<xmpRights:Marked>True</xmpRights:Marked>
<xmpRights:WebStatement>{licence}</xmpRights:WebStatement>
<cc:license rdf:resource="{licence}"/>
</rdf:Description></rdf:RDF></x:xmpmeta>
<?xpacket end="r"?>
"""


def in_words(day):
    """A date as a reader writes it."""
    return f"{day.day} {day:%B %Y}"


def version(cited):
    """Which state of the book this is, and its date."""
    day = date.fromisoformat(git("log", "-1", "--format=%cs") or date.today().isoformat())
    state = git("describe", "--tags", "--always", "--dirty=, changed")
    return f"Version {cited['version']}{f' ({state})' if state else ''}, {in_words(day)}"


def run_line(run):
    """On what the chapters' outputs were made, in words."""
    facts = run.facts
    versions = ", ".join(map(" ".join, facts["versions"].items()))
    return (f"{facts['device']}, budget {facts['budget']}, {facts['data']}, "
            f"{in_words(date.fromisoformat(facts['date']))}; {versions}")


def colophon(config, cited, authors, edition):
    """The page behind the cover, as LaTeX; edition: its version, and remarks."""
    runs = sorted({run_line(run) for run in shown_runs() if run.facts})
    year = str(cited["date-released"])[:4]
    address, licence = config.html_baseurl, cited["license"]
    entry = [r"@book\{normalize-add-concatenate,",
             *(rf"\ \ {key} = \{{{tex(value)}\}}," for key, value in (
                 ("title", cited["title"]), ("author", f"{{{authors}}}"), ("year", year),
                 ("version", cited["version"]), ("url", address))), r"\}"]
    parts = [
        ("Copyright", rf"© {config.copyright} {tex(authors)}. Text, pictures and code are under "
         rf"the \href{{{LICENCES[licence]}}}{{{licence} licence}}: copy, change and share them, "
         "and keep the licence with them."),
        ("This edition", tex(f"{edition[0]}. {' '.join(edition[1:])}")),
        ("The run", "All outputs, plots and numbers were made by the code beside them, on:\\par "
         + r"\par ".join(map(tex, runs))),
        ("How to cite", tex(f"{authors} ({year}). {cited['title']}. Version "
                            f"{cited['version']}. ") + rf"\url{{{address}}}\par\smallskip "
         r"{\ttfamily\footnotesize\parskip0pt " + r"\par ".join(entry) + "}"),
        ("The book that runs", r"\begin{minipage}[t]{\dimexpr\linewidth-2.6cm}On the site "
         r"pictures move, cells can be opened, and every chapter starts as a notebook: \par"
         rf"\url{{{address}}}\end{{minipage}}\hfill\raisebox{{\dimexpr\ht\strutbox-\height}}"
         rf"{{\href{{{address}}}{{\color{{ink}}\qrcode[height=2cm, level=L]{{{address}}}}}}}"),
        ("Read aloud", "The site is made for screen readers. This file names its language, has "
         "bookmarks and describes its pictures, but it is not tagged."),
        ("Made with", "Jupyter Book, Sphinx and XeLaTeX. The text is set in TeX Gyre Pagella and "
         "Heros, formulas in Pazo Math, code in DejaVu Sans Mono, pictures in DejaVu Sans.")]
    return "".join(rf"\colophonpart{{{title}}}{{{text}}}" for title, text in parts)


def prepare(app):
    """Draw the cover, take matplotlib's fonts, tell LaTeX the facts."""
    if app.builder.format != "latex":
        return
    folder = Path(app.outdir)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "cover.pdf").write_bytes(render(COVER, "pdf"))
    config, cited = app.config, yaml.safe_load(read(ROOT / "CITATION.cff"))
    licence = LICENCES[cited["license"]]
    authors = ", ".join(author.get("name") or f"{author['given-names']} {author['family-names']}"
                        for author in cited["authors"])
    rights = f"Copyright (c) {config.copyright} {authors}"
    (folder / "book.xmp").write_text(XMP.format_map({key: escape(value) for key, value in {
        "title": config.html_title, "authors": authors, "subtitle": SUBTITLE, "rights": rights,
        "language": config.language, "address": config.html_baseurl, "keywords": KEYWORDS,
        "licence": licence}.items()}), encoding="utf-8")
    config.latex_additional_files += [str(path) for path in sorted(FONTS.glob("DejaVuSans*.ttf"))]
    edition = [version(cited), *remarks()]
    facts = {"booksubtitle": tex(SUBTITLE), "bookauthors": tex(authors),
             "bookversion": r"\\".join(map(tex, edition)),
             "bookaddress": config.html_baseurl,
             "bookcolophon": colophon(config, cited, authors, edition)}
    app.builder.context["preamble"] += "".join(
        f"\\newcommand{{\\{name}}}{{{text}}}\n" for name, text in facts.items())
    app.builder.context["preamble"] += colours.latex() + (
        rf"\hypersetup{{pdftitle={{{tex(config.html_title)}}}, pdfsubject={{\booksubtitle}}, "
        rf"pdfauthor={{\bookauthors}}, pdfkeywords={{{KEYWORDS}}}, pdfdisplaydoctitle, "
        rf"pdflang={{{config.language}}}}}")


def setup(app):
    """Prepare before LaTeX is written."""
    app.connect("builder-inited", prepare)
    return {"parallel_read_safe": True}
