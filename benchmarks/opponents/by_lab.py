"""The book's own loop, on tensors that lie on the device."""
import lab


def fit(task):
    """Train ``task.net`` in place."""
    lab.train(task.net, task.data, num_epochs=task.num_epochs, lr=task.lr, fast=task.fast,
              batch_size=task.batch_size, weight_decay=task.weight_decay,
              label_smoothing=task.label_smoothing, augment=0 if task.mirror else None)
