"""How far a training step is from what the machine can do, and where its time goes."""
import statistics

import torch
from torch.nn import functional as F
from torch.profiler import ProfilerActivity, profile
from torch.utils.flop_counter import FlopCounterMode

import lab
from benchmarks import networks
from benchmarks.common import (
    can_compile,
    entries,
    forward_backward,
    in_turns,
    part,
    seconds,
    spread,
)

NETWORKS = "LeNet + BN", "ResNet-20", "DenseNet"


def step_flops(net, X, y):
    """Floating-point operations of one forward and backward pass, elementwise ones left out."""
    with FlopCounterMode(display=False) as counter:
        F.cross_entropy(net(X), y).backward()
    return counter.get_total_flops()


def matmul_flops(dtype):
    """FLOP/s of a large matrix product: what the machine reaches at best."""
    n = lab.pick(smoke=256, cpu=2048, gpu=8192)
    A, B = (torch.randn(n, n, device=lab.device(), dtype=dtype) for _ in range(2))
    _ = A @ B  # warm up
    return 2 * n ** 3 / min(seconds(lambda: A @ B) for _ in range(5))


def steps(rounds):
    """Each chapter's step against the bare forward and backward pass on a batch in place, and
    its operations per second against those of a matrix product.

    Ours is the whole training of an epoch by ``lab.train``, divided by its steps; the bare
    pass is repeated as often, so that both run for seconds.
    """
    data, count, rows = lab.fashion_mnist(), lab.pick(smoke=2, cpu=200, gpu=200), []
    for entry in entries():
        batch_size, fast = entry.recipe["batch_size"], entry.recipe.get("fast", False)
        dtype = lab.compute_dtype(fast)
        some = part(data, count * batch_size, num_val=1)
        trained = len(some.y_train) // batch_size
        net = entry.make().to(lab.device())
        X, y = some.X_train[:batch_size], some.y_train[:batch_size]
        flops, bare = step_flops(net, X, y), forward_backward(net, X, y, dtype)

        def ours(_round, net=net, some=some, entry=entry, trained=trained):
            recipe = entry.recipe | {"num_epochs": 1}
            return lab.train(net, some, **recipe, label="ours").seconds[0] / trained

        seconds(bare, 5)  # warm up
        times = in_turns({"ours": ours, "bare": lambda _, bare=bare, trained=trained: seconds(
            bare, trained)}, rounds)
        rate, best = flops / statistics.median(times["ours"]), matmul_flops(dtype)
        rows.append({"network": entry.network, "precision": str(dtype).removeprefix("torch."),
                     "steps": trained,
                     "step, ms": spread([1e3 * one for one in times["ours"]]),
                     "bare step, ms": spread([1e3 * one for one in times["bare"]]),
                     "ratio": spread([a / b for a, b in zip(times["ours"], times["bare"])]),
                     "GFLOP/s": rate / 1e9, "matrix product, GFLOP/s": best / 1e9,
                     "share": rate / best})
    return rows


def terms(rounds):
    """The bare step of each network by precision, layout and compilation.

    The seconds that ``torch.compile`` takes are told, too, and after how many epochs of
    60,000 images they are paid back.
    """
    size, rows = lab.pick(smoke=16, cpu=256, gpu=1024), []
    chosen = {"float32": (torch.float32, torch.contiguous_format),
              "float32, channels last": (torch.float32, torch.channels_last),
              "bfloat16": (lab.fast_dtype(), torch.contiguous_format),
              "bfloat16, channels last": (lab.fast_dtype(), torch.channels_last)}
    count = lab.pick(smoke=1, cpu=10, gpu=100)
    X = torch.randn(size, 1, 28, 28, device=lab.device())
    y = torch.randint(10, (size,), device=lab.device())
    for network in lab.pick(smoke=("LeNet + BN",), cpu=NETWORKS, gpu=NETWORKS):
        passes = {name: forward_backward(networks.make(network), X, y, *how)
                  for name, how in chosen.items()}
        last, compiling = list(chosen)[-1], None
        if can_compile():
            net = torch.compile(networks.make(network))
            passes[f"{last}, compiled"] = forward_backward(net, X, y, *chosen[last])
            compiling = seconds(passes[f"{last}, compiled"])
        for one in passes.values():
            seconds(one, 3)  # warm up
        times = in_turns({name: lambda _, one=one: 1e3 * seconds(one, count)
                          for name, one in passes.items()}, rounds)
        middle = {name: statistics.median(values) for name, values in times.items()}
        for name, values in times.items():
            rows.append({"network": network, "terms": name, "step, ms": spread(values),
                         "times faster": middle["float32"] / middle[name]})
        if compiling:
            gain = (middle[last] - middle[f"{last}, compiled"]) / 1e3 * 60000 / size
            rows[-1] |= {"compiling, s": compiling,
                         "paid back after epochs": compiling / gain if gain > 0 else None}
    return rows


def operations():
    """The operations that take the most time in each chapter's training, a network a column."""
    data, shares = lab.fashion_mnist(), {}
    on_gpu = lab.device().type == "cuda"
    activities = [ProfilerActivity.CPU] + [ProfilerActivity.CUDA] * on_gpu
    for entry in entries():
        recipe = entry.recipe | {"num_epochs": 1}
        some, net = part(data, 10 * recipe["batch_size"]), entry.make()
        lab.train(net, some, **recipe, label="warm-up")
        with profile(activities=activities) as profiler:
            lab.train(net, some, **recipe, label=f"{entry.network}, profiled")
        times = {event.key: event.self_device_time_total if on_gpu else event.self_cpu_time_total
                 for event in profiler.key_averages()}
        total = sum(times.values())
        shares[entry.network] = {name.removeprefix("aten::"): time / total
                              for name, time in times.items()}
    most = {name: max(one.get(name, 0) for one in shares.values())
            for name in set().union(*shares.values())}
    shown = sorted((name for name in most if most[name] >= 0.03), key=lambda name: -most[name])
    for one in shares.values():
        one["all others"] = 1 - sum(one.get(name, 0) for name in shown)
    return [{"operation": name} | {network: one.get(name, 0.0) for network, one in shares.items()}
            for name in [*shown, "all others"]]
