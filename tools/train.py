"""Train a chapter's main network, in one process or in several that torchrun started.

  python -m tools.train resnet
  torchrun --standalone --nproc-per-node=2 -m tools.train resnet

On several machines the same line is run on each, with --nnodes=2 --rdzv-backend=c10d
--rdzv-endpoint=FIRST_MACHINE:29400 --rdzv-id=book instead of --standalone. All processes train
one network on parts of the same batches, normalized by the statistics of the whole batch, so
that their number changes the time and not the result. Batch sizes are those of the whole.

With --checkpoint the training is kept after each epoch and goes on from there: after Ctrl-C,
after a crash, with another number of processes, or by itself with torchrun --max-restarts=3.
"""
import argparse
import contextlib
import dataclasses
import io
import sys
from typing import Any

import torch
from torch import nn

import lab
from checkpoint import CheckpointError
from team import LostError, Team, joined, stop_together
from tools.shared.command import WordsError, in_words
from tools.shared.definitions import definitions
from tools.shared.source import chapter_names


def defined(chapter):
    """What a chapter defines; what its cells say meanwhile is not shown."""
    with contextlib.redirect_stdout(io.StringIO()):
        return definitions(chapter)


def synchronize(net, device):
    """``net`` with normalizations that take their statistics from all processes.

    PyTorch's where it has them, on GPUs; else those of chapter 1.
    """
    if device.type == "cuda":
        net = nn.SyncBatchNorm.convert_sync_batchnorm(net)
    chapter = defined("batch_norm")
    dims = {nn.BatchNorm1d: 2, nn.BatchNorm2d: 4}
    for module in [*net.modules()]:
        children: list[tuple[str, Any]] = [*module.named_children()]
        for name, old in children:
            if type(old) in dims:
                new = chapter["SyncBatchNorm"](old.num_features, dims[type(old)], old.eps,
                                               1 - old.momentum)
            elif hasattr(old, "moving_mean"):  # a chapter's own
                shape = old.moving_mean.shape
                new = chapter["SyncBatchNorm"](shape[1], len(shape), old.eps, old.momentum)
            else:
                continue
            # Some networks start with a gamma of zero.
            for ours, theirs in zip(new.parameters(), old.parameters()):
                ours.data = theirs.data.view_as(ours)
            setattr(module, name, new)
    return net


def arguments(argv):
    """The command line's."""
    parser = argparse.ArgumentParser(prog="python -m tools.train", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("chapter", choices=chapter_names(numbered=True))
    parser.add_argument("--epochs", type=int, help="how many (default: the chapter's, by BUDGET)")
    parser.add_argument("--batch-size", type=int, help="of all processes together")
    parser.add_argument("--lr", type=float, help="the peak of the learning rate")
    parser.add_argument("--seed", type=int, default=0, help="default: %(default)s")
    parser.add_argument("--own-statistics", action="store_true",
                        help="each process normalizes its own part of a batch")
    parser.add_argument("--checkpoint", metavar="FILE", help="keep the training here, go on here")
    parser.add_argument("--timeout", type=float, default=60, metavar="SECONDS",
                        help="wait for another process at most so long (default: %(default)s)")
    return parser.parse_args(argv)


def train(args):
    """Train and judge the network that the arguments name, with the other processes."""
    team, data = Team(), lab.fashion_mnist()
    if team.size > 1 and data.X_train.device.type == "mps":  # gloo knows no Apple GPU
        data = dataclasses.replace(data, **{name: value.cpu() for name, value in vars(data).items()
                                            if isinstance(value, torch.Tensor)})
    record = defined(args.chapter)["record"]
    chosen = {"num_epochs": args.epochs, "batch_size": args.batch_size, "lr": args.lr}
    recipe = record.recipe | {name: value for name, value in chosen.items() if value is not None}
    torch.manual_seed(args.seed)
    net = record.make()
    if team.size > 1 and not args.own_statistics:
        net = synchronize(net, data.X_train.device)
    lab.train(net, data, **recipe, label=record.network, checkpoint=args.checkpoint)
    if team.rank == 0:
        _, accuracy = lab.evaluate(net, data.X_test, data.y_test, recipe.get("fast", False))
        print(f"{record.network}: test accuracy {accuracy:.4f} ({data.source}; processes: "
              f"{team.size})", flush=True)


def main(argv=None):
    """Run the command line; returns an exit status."""
    args = arguments(argv)
    try:
        with joined(args.timeout) as team:
            if team.size > 1:
                stop_together()
            train(args)
    except (CheckpointError, LostError, ValueError) as err:
        raise WordsError(str(err)) from err
    return 0


if __name__ == "__main__":
    sys.exit(in_words(main))
