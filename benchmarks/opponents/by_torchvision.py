"""A plain loop; torchvision's data set opens and transforms each image anew."""
from torch.utils.data import DataLoader, Subset
from torchvision import transforms
from torchvision.datasets import FashionMNIST

from benchmarks.opponents import plain


def fit(task, workers):
    """Train ``task.model`` in place; ``workers`` processes load."""
    mirror = [transforms.RandomHorizontalFlip()] if task.mirror else []
    transform = transforms.Compose(
        [*mirror, transforms.ToTensor(), transforms.Normalize([0.286], [0.353])])
    dataset = FashionMNIST(task.root, train=True, transform=transform)
    batches = DataLoader(Subset(dataset, range(task.num_images)), task.batch_size, shuffle=True,
                         drop_last=True, num_workers=workers, persistent_workers=workers > 0)
    plain.train(task, batches)
