"""The machine: its device, threads and precision, and how much to train on it."""
import os
import platform

# Before torch loads: threads that spin while they wait made a shared two-core machine five
# times slower; spinning for some microseconds before they sleep gains a quarter. A runner
# that starts processes sets these itself, so that the order of imports decides nothing there.
os.environ.update({"OMP_WAIT_POLICY": "passive", "GOMP_SPINCOUNT": "10000", **os.environ})

import torch  # noqa: E402

VERSION = torch.__version__
_CPU = getattr(torch.cpu, "get_capabilities", dict)()  # older releases do not tell


def device():
    """The fastest device there is: ``cuda``, ``mps`` or ``cpu``."""
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


def device_name():
    """The device in words, such as ``AMD EPYC, 2 threads``."""
    if device().type == "cuda":
        return torch.cuda.get_device_name()
    cpu = _CPU.get("cpu_name") or platform.processor() or platform.machine()
    return cpu + (", Apple GPU" if device().type == "mps"
                  else f", {torch.get_num_threads()} threads")


def has_bf16():
    """Whether the device computes in bfloat16 faster than in float32."""
    if device().type == "cuda":
        return torch.cuda.get_device_capability() >= (8, 0)
    return any(_CPU.get(unit) for unit in ("avx512_bf16", "amx_bf16"))


def exact_float32():
    """Have a GPU compute float32 in float32: the checks need it."""
    torch.backends.cudnn.allow_tf32 = False


def budget():
    """How much to train: ``BUDGET``, else ``gpu`` on a GPU and ``cpu`` without one.

    Raises ValueError for an unknown budget, and for ``gpu`` without a GPU.
    """
    on_cpu = device().type == "cpu"
    chosen = os.environ.get("BUDGET") or ("cpu" if on_cpu else "gpu")
    if chosen not in ("smoke", "cpu", "gpu"):
        raise ValueError(f"BUDGET={chosen} is unknown. Use smoke, cpu or gpu.")
    if chosen == "gpu" and on_cpu:
        raise ValueError("BUDGET=gpu needs a GPU and PyTorch sees none. Use BUDGET=cpu.")
    return chosen


def pick(*, smoke, cpu, gpu):
    """The value for this run's budget."""
    return {"smoke": smoke, "cpu": cpu, "gpu": gpu}[budget()]
