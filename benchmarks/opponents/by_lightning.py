"""Lightning's LightningModule and Trainer."""
# Its packages lie in an environment of its own.
# pyright: reportMissingImports=false
import logging
import warnings

import lightning
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from benchmarks.opponents.plain import mirrored


class Classifier(lightning.LightningModule):
    """The model with the recipe."""

    def __init__(self, task, num_steps):
        super().__init__()
        self.model, self.task, self.num_steps = task.model, task, num_steps
        self.criterion = nn.CrossEntropyLoss(label_smoothing=task.label_smoothing)

    def training_step(self, batch, _index):
        """The loss of a batch."""
        X, y = batch
        return self.criterion(self.model(mirrored(X) if self.task.mirror else X), y)

    def configure_optimizers(self):
        """SGD, and a schedule that is stepped after each batch."""
        optimizer = torch.optim.SGD(self.parameters(), self.task.lr, momentum=0.9, nesterov=True,
                                    weight_decay=self.task.weight_decay)
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, self.task.lr, total_steps=self.num_steps + 1, pct_start=0.25,
            cycle_momentum=False)
        return [optimizer], [{"scheduler": schedule, "interval": "step"}]


def fit(task):
    """Train ``task.model`` in place."""
    warnings.filterwarnings("ignore", ".*does not have many workers")
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    dataset = TensorDataset(task.data.X_train, task.data.y_train)
    batches = DataLoader(dataset, task.batch_size, shuffle=True, drop_last=True)
    task.model.train()
    trainer = lightning.Trainer(max_epochs=task.num_epochs, logger=False,
                                enable_checkpointing=False, enable_progress_bar=False,
                                enable_model_summary=False)
    trainer.fit(Classifier(task, task.num_epochs * len(batches)), batches)
