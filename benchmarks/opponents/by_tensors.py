"""A plain loop; the images are a TensorDataset, and a DataLoader shuffles them."""
from torch.utils.data import DataLoader, TensorDataset

from benchmarks.opponents import plain


def fit(task):
    """Train ``task.model`` in place."""
    dataset = TensorDataset(task.data.X_train, task.data.y_train)
    batches = DataLoader(dataset, task.batch_size, shuffle=True, drop_last=True)
    plain.train(task, batches, plain.mirrored if task.mirror else None)
