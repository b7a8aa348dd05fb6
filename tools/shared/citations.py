"""The sources in ``references.bib``, and what a citation of one says: authors and year."""
import functools
from collections import Counter
from string import ascii_lowercase

from pybtex.database import parse_file
from pybtex.exceptions import PybtexError

from tools.shared.command import WordsError
from tools.shared.source import ROOT


@functools.cache
def sources():
    """The entries of ``references.bib``; a WordsError says where it cannot be read."""
    path = ROOT / "references.bib"
    try:
        return parse_file(path).entries
    except PybtexError as err:
        raise WordsError(f"{path}: {err}. Mend that entry, or see what changed: git diff "
                         f"{path.name}") from err


def _authors_and_year(entry):
    names = [" ".join(one.prelast_names + one.last_names) for one in entry.persons["author"]]
    who = f"{names[0]} et al." if len(names) > 2 else " and ".join(names)
    return f"{who}, {entry.fields['year']}"


@functools.cache
def labels():
    """What a citation says, by key; where two would say the same, the year has a letter."""
    words = {key: _authors_and_year(entry) for key, entry in sources().items()}
    alike, seen = Counter(words.values()), Counter()
    for key, said in words.items():
        if alike[said] > 1:
            words[key] += ascii_lowercase[seen[said]]
            seen[said] += 1
    return words
