"""The loop that PyTorch's own tutorials teach, with the recipe's schedule."""
import torch
from torch import nn

import lab


def mirrored(X):
    """The images, half of them mirrored at random."""
    return torch.where(torch.rand(len(X), 1, 1, 1, device=X.device) < 0.5, X.flip(-1), X)


def train(task, batches, augment=None):
    """Train the model on an iterable of batches."""
    optimizer = torch.optim.SGD(task.model.parameters(), task.lr, momentum=0.9, nesterov=True,
                                weight_decay=task.weight_decay)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, task.lr, total_steps=task.num_epochs * len(batches) + 1, pct_start=0.25,
        cycle_momentum=False)
    criterion = nn.CrossEntropyLoss(label_smoothing=task.label_smoothing)
    task.model.train()
    for _ in range(task.num_epochs):
        for X, y in batches:
            X, y = X.to(lab.device()), y.to(lab.device())
            loss = criterion(task.model(augment(X) if augment else X), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            scheduler.step()
