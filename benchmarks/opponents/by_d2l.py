"""d2l's loader and its ``train_ch6``, without the drawing; its own recipe, in float32."""
import contextlib
import warnings
from unittest import mock

from d2l import torch as d2l
from torch.utils.data import DataLoader, Subset


def fit(task):
    """Train ``task.net`` in place: plain SGD at a constant rate, from Xavier's weights."""
    # d2l wants four workers on any machine, and PyTorch warns of that on a small one.
    warnings.filterwarnings("ignore", "This DataLoader will create")
    with contextlib.chdir(task.working_folder), mock.patch.object(d2l, "Animator"):
        train, test = d2l.load_data_fashion_mnist(task.batch_size, task.resize)
        train = DataLoader(Subset(train.dataset, range(task.num_images)), task.batch_size,
                           shuffle=True, num_workers=d2l.get_dataloader_workers())
        test = DataLoader(Subset(test.dataset, range(task.batch_size)), task.batch_size)
        d2l.train_ch6(task.net, train, test, task.num_epochs, task.lr, d2l.try_gpu())
