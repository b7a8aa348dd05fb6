"""How long a chapter takes: to read, from its text, and to run, from a run of it."""
import re

WORDS_A_MINUTE = 230
FORMULA, LINE = 10, 1  # seconds for a formula in a line of its own and for a line of code


def minutes_to_read(nb):
    """Minutes to read a chapter, code that the page folds left out; to the next five."""
    seconds = 0.0
    for cell in nb.cells:
        if cell.cell_type == "markdown":
            words, formulas = len(cell.source.split()), len(re.findall(r"(?m)^\$\$", cell.source))
            seconds += 60 * words / WORDS_A_MINUTE + FORMULA * formulas / 2
        elif "hide-input" not in cell.metadata.get("tags", []):
            seconds += LINE * len(cell.source.splitlines())
    return max(5 * round(seconds / 300), 5)


def effort(nb, run):
    """Both in words; ``run`` is the run whose outputs are shown."""
    minutes = max(round(run.facts["run_seconds"] / 60), 1)
    return (f"About {minutes_to_read(nb)} minutes to read, "
            f"{minutes} minute{'' if minutes == 1 else 's'} to run on {run.facts['device']}.")
