"""Who takes part in the races: the book's ``lab.train`` and the loops that people use.

Each module ``by_NAME`` holds what its user writes, in a function ``fit(task)`` that trains
``task.model`` in place (``worker.Task``). One with a file ``NAME.txt`` has an environment of
its own (``environments``). ``worker`` is the process in which a contestant lives.
"""
from pathlib import Path

HERE = Path(__file__).parent
# Name: (module, what its fit takes besides the task).
CONTESTANTS = {
    "lab": ("lab", {}),
    "TensorDataset": ("tensors", {}),
    "torchvision": ("torchvision", {"workers": 0}),
    "torchvision, 2 workers": ("torchvision", {"workers": 2}),
    "fastai": ("fastai", {}),
    "Lightning": ("lightning", {}),
    "Keras on torch": ("keras", {}),
    "d2l train_ch6": ("d2l", {}),
}
