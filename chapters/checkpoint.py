"""Keeping a training on disk: a file that is whole, or not there."""
import os
import pickle
from pathlib import Path

import torch


class CheckpointError(RuntimeError):
    """A checkpoint that cannot be read or belongs to another training; says the cure."""


def save(path, state):
    """Write ``state`` (tensors, numbers, text, lists, dicts) aside, then put it at ``path``."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(path.name + ".part")
    try:
        with open(aside, "wb") as file:
            torch.save(state, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(aside, path)
    finally:
        aside.unlink(missing_ok=True)


def load(path, plan):
    """What ``save`` kept, or None if there is nothing.

    Raises CheckpointError where the file is damaged, or its ``plan`` is not this one.
    """
    path = Path(path)
    if not path.exists():
        return None
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, OSError, EOFError, pickle.UnpicklingError) as err:
        raise CheckpointError(f"{path} is damaged ({str(err).splitlines()[0]}). Delete it, and "
                              "the training starts anew.") from err
    if state["plan"] != plan:
        raise CheckpointError(f"{path} is another training's: {state['plan']}, and this one is "
                              f"{plan}. Name another file, or delete it.")
    return state
