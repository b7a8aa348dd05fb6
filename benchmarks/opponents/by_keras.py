"""Keras 3 with PyTorch below it: the same network in a TorchModuleWrapper."""
# Its packages lie in an environment of its own.
# pyright: reportMissingImports=false
import os

os.environ["KERAS_BACKEND"] = "torch"

import keras  # noqa: E402
from torch.nn import functional as F  # noqa: E402


def fit(task):
    """Train ``task.model`` in place."""
    X, y = task.data.X_train, task.data.y_train
    num_steps = task.num_epochs * (len(X) // task.batch_size)
    schedule = keras.optimizers.schedules.CosineDecay(
        task.lr / 25, round(0.75 * num_steps), warmup_target=task.lr,
        warmup_steps=round(0.25 * num_steps))
    mirror = [keras.layers.RandomFlip("horizontal", data_format="channels_first")]
    model = keras.Sequential([*mirror * task.mirror, keras.layers.TorchModuleWrapper(task.model)])
    model.compile(
        keras.optimizers.SGD(schedule, momentum=0.9, nesterov=True,
                             weight_decay=task.weight_decay or None),
        loss=lambda y, y_hat: F.cross_entropy(y_hat, y.flatten().long(),
                                              label_smoothing=task.label_smoothing))
    model.fit(X, y, batch_size=task.batch_size, epochs=task.num_epochs, verbose=0)
