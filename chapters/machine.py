"""The machine: its device, threads and precision, and how much to train on it."""
import functools
import os
import platform
import time

# Before torch loads: threads that spin while they wait made a shared two-core machine five
# times slower; spinning for some microseconds before they sleep gains a quarter. A runner
# that starts processes sets these itself, so that the order of imports decides nothing there.
os.environ.update({"OMP_WAIT_POLICY": "passive", "GOMP_SPINCOUNT": "10000", **os.environ})

import psutil  # noqa: E402
import torch  # noqa: E402

VERSION = torch.__version__
ALL_THREADS = torch.get_num_threads()  # those that PyTorch takes by itself
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
                  else f", {ALL_THREADS} threads")


def fast_dtype(device_type=None):
    """The dtype that trains fastest here: torch.bfloat16, torch.float16 or torch.float32.

    bfloat16 where the device has units for it; float16 on older GPUs with tensor cores (such
    as the T4: bfloat16 is only emulated there, whatever ``is_bf16_supported`` says).
    """
    if (device_type or device().type) == "cuda":
        capability = torch.cuda.get_device_capability()
        return (torch.bfloat16 if capability >= (8, 0)
                else torch.float16 if capability >= (7, 0) else torch.float32)
    has_units = any(_CPU.get(unit) for unit in ("avx512_bf16", "amx_bf16"))
    return torch.bfloat16 if has_units else torch.float32


def compute_dtype(fast, device_type=None):
    """What to compute in: the ``fast_dtype``, or torch.float32 where ``fast`` is false."""
    return fast_dtype(device_type) if fast else torch.float32


def exact_float32():
    """Have a GPU compute float32 in float32: the checks need it."""
    torch.backends.cudnn.allow_tf32 = False


def _probe(channels=16, size=14, n=64, rounds=20):
    """A function: the seconds of ``rounds`` of two small convolutions in the fast dtype."""
    with torch.random.fork_rng(devices=[]):  # the reader's seed stays untouched
        net = torch.nn.Sequential(torch.nn.Conv2d(channels, channels, 3, padding=1),
                                  torch.nn.BatchNorm2d(channels), torch.nn.ReLU(),
                                  torch.nn.Conv2d(channels, channels, 3, padding=1))
    X, dtype = torch.ones(n, channels, size, size), fast_dtype("cpu")

    def run():
        start = time.perf_counter()
        for _ in range(rounds):
            with torch.autocast("cpu", torch.bfloat16, enabled=dtype != torch.float32):
                net(X).sum().backward()
        return time.perf_counter() - start

    return run


def _computing():
    """Seconds since some start: of the clock, of all that computed here, of this process."""
    times = psutil.cpu_times()
    idle = sum(getattr(times, kind, 0.0) for kind in ("idle", "iowait", "guest", "guest_nice"))
    return time.perf_counter(), sum(times) - idle, time.process_time()


_seen = _computing()


def choose_threads():
    """Compute on as many CPU threads as others leave cores; returns their number.

    Threads wait for each other at barriers: beside a busy program a training on all cores can
    be 26 times slower than on one. What others computed is measured over the time since the
    last choice, a quarter of a second at least; until then that one holds.
    ``OMP_NUM_THREADS`` decides where it is set.
    """
    global _seen
    now = _computing()
    clock, everyone, own = (after - before for after, before in zip(now, _seen))
    if clock >= 0.25 and not os.environ.get("OMP_NUM_THREADS"):
        _seen = now
        others = max(0.0, everyone - own) / clock
        number = round((psutil.cpu_count() or ALL_THREADS) - others)
        torch.set_num_threads(min(max(number, 1), ALL_THREADS))
    return torch.get_num_threads()


@functools.cache
def _is_slow():
    """Whether this CPU needs more than twice the time of the one that the budgets were made on."""
    if fast_dtype("cpu") == torch.bfloat16:
        return False
    run = _probe()
    return min(run() for _ in range(3)) > 0.25


BUDGETS = "smoke", "slow", "cpu", "t4", "gpu"


def budget():
    """How much to train: ``BUDGET``, or what this machine can do in a few minutes.

    ``slow``: a CPU without bfloat16 that took long for a measurement; ``cpu``: another one;
    ``t4``: a GPU without bfloat16; ``gpu``: another one. ``smoke`` only shows that all runs.
    Raises ValueError for an unknown budget, and for a GPU's without a GPU.
    """
    on_cpu, chosen = device().type == "cpu", os.environ.get("BUDGET")
    if not chosen:
        return (("slow" if _is_slow() else "cpu") if on_cpu
                else "gpu" if fast_dtype() == torch.bfloat16 else "t4")
    if chosen not in BUDGETS:
        raise ValueError(f"BUDGET={chosen} is unknown. Use {', '.join(BUDGETS[:-1])} or gpu.")
    if chosen in ("t4", "gpu") and on_cpu:
        raise ValueError(f"BUDGET={chosen} needs a GPU and PyTorch sees none. Use BUDGET=cpu.")
    return chosen


def pick(*, smoke, cpu, gpu, slow=None, t4=None):
    """The value for this run's budget; ``slow`` is by default ``cpu``'s, ``t4`` is ``gpu``'s."""
    return {"smoke": smoke, "slow": cpu if slow is None else slow, "cpu": cpu,
            "t4": gpu if t4 is None else t4, "gpu": gpu}[budget()]
