"""fastai's Learner and its one-cycle policy."""
# Its packages lie in an environment of its own.
# pyright: reportMissingImports=false
from functools import partial

from fastai.basics import SGD, Callback, DataLoader, DataLoaders, Learner
from fastai.callback.schedule import fit_one_cycle  # noqa: F401 - gives Learner this method
from torch import nn
from torch.utils.data import TensorDataset

import lab
from benchmarks.opponents.plain import mirrored


class Mirror(Callback):
    """Mirrors half of the images of each training batch."""

    def before_batch(self):
        """Change the batch in place."""
        if self.training:
            self.learn.xb = (mirrored(self.x),)


def fit(task):
    """Train ``task.model`` in place."""
    dataset = TensorDataset(task.data.X_train, task.data.y_train)
    batches = DataLoader(dataset, bs=task.batch_size, shuffle=True, drop_last=True,
                         device=lab.device())
    one = DataLoader(TensorDataset(*dataset[:1]), bs=1, device=lab.device())  # a Learner validates
    learn = Learner(DataLoaders(batches, one), task.model,
                    loss_func=nn.CrossEntropyLoss(label_smoothing=task.label_smoothing),
                    opt_func=partial(SGD, mom=0.9, wd=task.weight_decay),
                    cbs=[Mirror()] if task.mirror else [])
    with learn.no_logging():
        learn.fit_one_cycle(task.num_epochs, task.lr, moms=(0.9, 0.9, 0.9))
