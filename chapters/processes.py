"""Running a function in several processes that torchrun starts, from a notebook or a script.

Run as a script, by torchrun, it is one of these processes.
"""
import contextlib
import os
import pickle
import subprocess
import sys
import tempfile
import threading
import traceback
from pathlib import Path

import cloudpickle
import torch

from machine import exact_float32
from team import LostError, joined

# One thread each: processes that share cores must not wait for each other's threads. Names of
# machines are not looked up: what runs on one machine talks to itself. torchrun's own store is
# a file, and the processes' another: PyTorch for Windows has no libuv, which a shared one needs.
ALONE = {"OMP_NUM_THREADS": "1", "TORCH_CPP_LOG_LEVEL": "ERROR",
         "TORCH_DISABLE_SHARE_RDZV_TCP_STORE": "1",
         **({"GLOO_SOCKET_IFNAME": "lo"} if sys.platform == "linux" else {}),
         **({"USE_LIBUV": "0"} if sys.platform == "win32" else {})}


class ProcessError(RuntimeError):
    """A process failed, died or took too long; says which, and what it said."""


class _Pickler(cloudpickle.Pickler):
    """Takes autograd's functions, too: ``once_differentiable`` uses a module without a file."""

    def reducer_override(self, obj):
        if obj is vars(torch._C).get("_functions"):
            return getattr, (torch._C, "_functions")
        return super().reducer_override(obj)


def run_processes(function, nproc, *args, seconds=120):
    """Call ``function(*args)`` in ``nproc`` processes of one group; returns their results.

    torchrun starts them on this machine; they exchange tensors by gloo, or by NCCL where each
    has a GPU. What they print is not shown. What a notebook defines and the function uses
    travels with it. Raises ProcessError where one fails or dies, or after ``seconds``.
    """
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        with open(folder / "task", "wb") as file:
            _Pickler(file).dump((function, args, seconds))
        code, told = _torchrun(folder, nproc, seconds)
        failed = sorted(folder.glob("*.failed"), key=lambda path: path.stat().st_mtime_ns)
        if failed:  # the first says why
            raise ProcessError(f"process {failed[0].stem} of {nproc} failed:\n"
                               f"{failed[0].read_text(encoding='utf-8')}")
        if code is None:
            raise ProcessError(f"{nproc} processes took more than {seconds} s and were ended")
        if code:
            silent = [str(rank) for rank in range(nproc) if not [*folder.glob(f"{rank}.*")]]
            raise ProcessError(f"process {' and '.join(silent) or '?'} of {nproc} died without a "
                               f"word (most often, memory ran out)\n{told[-2000:]}")
        return [pickle.loads((folder / f"{rank}.done").read_bytes()) for rank in range(nproc)]


def _torchrun(folder, nproc, seconds):
    """Its exit status, None if it was ended after ``seconds``, and what it and all printed."""
    command = [sys.executable, "-m", "torch.distributed.run", "--rdzv-backend=c10d",
               "--rdzv-conf=store_type=file", f"--rdzv-endpoint={folder / 'store'}",
               "--local-addr=127.0.0.1", f"--nproc-per-node={nproc}", __file__, str(folder)]
    paths = os.pathsep.join(path or os.getcwd() for path in sys.path)  # of what is imported here
    with open(folder / "log", "w+", encoding="utf-8", errors="replace") as log:
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=log, stderr=log,
                              env={**os.environ, **ALONE, "PYTHONPATH": paths}) as torchrun:
            code = None
            # Whatever ends this block, Ctrl-C or a killed notebook too, closes the pipe, and
            # with its end the processes end.
            with contextlib.suppress(subprocess.TimeoutExpired):
                code = torchrun.wait(seconds)
        log.seek(0)
        return code, log.read()


def _end_with_the_pipe():
    """End this process when whoever started it closes the pipe, or is gone."""
    os.read(0, 1)
    os._exit(1)


def _main(folder):
    """Be one of the processes: do the task in the folder, and leave what came of it there."""
    threading.Thread(target=_end_with_the_pipe, daemon=True).start()
    left = folder / os.environ["RANK"]
    exact_float32()
    try:
        function, args, seconds = pickle.loads((folder / "task").read_bytes())
        with joined(seconds):
            done = cloudpickle.dumps(function(*args))
            left.with_suffix(".done").write_bytes(done)
    except LostError:
        left.with_suffix(".lost").touch()
        raise
    except BaseException:
        left.with_suffix(".failed").write_text(traceback.format_exc(), encoding="utf-8")
        raise


if __name__ == "__main__":
    _main(Path(sys.argv[1]))
