"""The processes that train one network together: those that torchrun started, or one alone."""
import contextlib
import os
import signal
from datetime import timedelta

import torch
from torch import distributed as dist
from torch.nn.parallel import DistributedDataParallel

_ASKED = []  # the signals that asked this process to stop
_PARENT = os.getppid()


class LostError(RuntimeError):
    """Another process ended, or did not answer in time; says which waited, and how long."""


@contextlib.contextmanager
def joined(seconds=60):
    """Join the processes that torchrun started, and leave them at the end; yields the Team.

    Whoever waits ``seconds`` for another gives up with a LostError. Without torchrun nothing is
    joined: the process is alone.
    """
    if not dist.is_torchelastic_launched():
        yield Team()
        return
    # A GPU for each process, or one that they share.
    count, here = torch.cuda.device_count(), int(os.environ["LOCAL_WORLD_SIZE"])
    if count:
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]) % count)
    try:
        dist.init_process_group("cpu:gloo,cuda:nccl" if count >= here else "gloo",
                                timeout=timedelta(seconds=seconds))
        yield Team()
    except RuntimeError as err:
        if not (isinstance(err, dist.DistError) or "gloo" in str(err)):
            raise
        raise LostError(f"Process {os.environ['RANK']} gave up: another one ended, or did not "
                        f"answer within {seconds} s ({str(err).splitlines()[0]})") from err
    finally:
        if dist.is_initialized():
            dist.destroy_process_group()


def stop_together():
    """From now on Ctrl-C and SIGTERM stop a training in all its processes after the same step."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, frame: _ASKED.append(number))


class Team:
    """This process among those that train together; alone, nothing is changed or sent."""

    def __init__(self):
        self.rank, self.size = 0, 1
        if dist.is_available() and dist.is_initialized():
            self.rank, self.size = dist.get_rank(), dist.get_world_size()

    def share(self, n):
        """The slice of ``n`` images that is this process's; the shares differ by one at most.

        Raises ValueError, in every process, where some would get none.
        """
        if n < self.size:
            raise ValueError(f"{n} images cannot be shared by {self.size} processes: take larger "
                             "batches or fewer processes")
        return slice(n * self.rank // self.size, n * (self.rank + 1) // self.size)

    def wrap(self, net):
        """``net`` as a module whose gradients are the mean over the processes.

        All begin with the weights, buffers and random numbers of rank 0.
        """
        if self.size == 1:
            return net
        self._same_random_numbers()
        for buffer in net.buffers():
            dist.broadcast(buffer, 0)
        # It shall leave the buffers alone: rank 0's statistics are not everyone's. (Its option for
        # this has another name since PyTorch 2.14.)
        DistributedDataParallel._set_params_and_buffers_to_ignore_for_model(
            net, [name for name, _ in net.named_buffers()])
        return DistributedDataParallel(net)

    def _same_random_numbers(self):
        state = random_state()
        dist.broadcast_object_list(state, 0)
        set_random_state(state)

    def total(self, *values):
        """The sums of some scalars over the processes: one message."""
        if self.size == 1:
            return values
        asked = bool(_ASKED) or os.getppid() != _PARENT  # torchrun is gone
        sums = torch.stack([*(value.double() for value in values),
                            torch.full_like(values[0], asked, dtype=torch.float64)])
        dist.all_reduce(sums)
        self.asked = sums[-1]
        return sums[:-1]

    def mean(self, values, weight):
        """The means of some numbers over the processes, each weighted by its share of 1."""
        if self.size == 1:
            return values
        sums = torch.tensor(values, dtype=torch.float64) * weight
        dist.all_reduce(sums)
        return sums.tolist()

    def is_due(self, progress, step):
        """Whether to show how far it is: for all at the same step, by the clock if alone."""
        return progress.is_due() if self.size == 1 else step % 10 == 0

    def stop_if_asked(self):
        """KeyboardInterrupt, in all processes, where one of them was asked to stop."""
        if self.size > 1 and self.asked:
            raise KeyboardInterrupt

    def average_buffers(self, net):
        """Give all the mean of their moving statistics, each of which saw its own images."""
        for buffer in net.buffers() if self.size > 1 else ():
            if buffer.is_floating_point():
                dist.all_reduce(buffer)
                buffer /= self.size

    def check_equal(self, net):
        """RuntimeError, in every process, unless all have the same parameters to the last bit."""
        if self.size == 1:
            return
        ours = torch.cat([p.detach().double().flatten() for p in net.parameters()])
        first = ours.clone()
        dist.broadcast(first, 0)
        differ = (ours != first).sum()  # also where one is not a number
        dist.all_reduce(differ)
        if differ and first.isfinite().all():
            raise RuntimeError(f"{int(differ)} weights differ between the processes")

    def first(self, make):
        """What ``make()`` gives in rank 0, for all; it is called there alone."""
        if self.size == 1:
            return make()
        made = [make() if self.rank == 0 else None]
        dist.broadcast_object_list(made, 0)
        return made[0]


def random_state():
    """The states of PyTorch's random numbers, on the CPU and on this process's GPU."""
    gpu = [torch.cuda.get_rng_state()] if torch.cuda.is_available() else []
    return [torch.get_rng_state(), *gpu]


def set_random_state(states):
    """Go on with the random numbers of ``random_state``."""
    torch.set_rng_state(states[0])
    for state in states[1:]:
        torch.cuda.set_rng_state(state)
