"""How far a training step is from what the machine can do, and where its time goes."""
import torch
from torch.nn import functional as F
from torch.profiler import ProfilerActivity, profile
from torch.utils.flop_counter import FlopCounterMode

import lab
from benchmarks.common import entries, forward_backward, in_turns, part, seconds, spread


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
    its operations per second against those of a matrix product."""
    data, count, rows, flop_rows = lab.fashion_mnist(), lab.pick(smoke=2, cpu=10, gpu=100), [], []
    for entry in entries():
        batch_size = entry.recipe["batch_size"]
        dtype = lab.fast_dtype() if entry.recipe.get("fast", False) else torch.float32
        X, y, net = data.X_train[:batch_size], data.y_train[:batch_size], entry.make()
        net.to(X.device)
        flops, bare = step_flops(net, X, y), forward_backward(net, X, y, dtype)
        recipe = entry.recipe | {"num_epochs": 1}
        some = part(data, count * batch_size, num_val=1)
        trained = min(count, len(some.y_train) // batch_size)

        def ours(_round, net=net, some=some, recipe=recipe, trained=trained):
            return lab.train(net, some, **recipe, label="ours").seconds[0] / trained

        ours(0)  # warm up
        bare()
        times = in_turns({"ours": ours, "bare": lambda _, bare=bare: seconds(bare, count)}, rounds)
        ratio = spread([a / b for a, b in zip(times["ours"], times["bare"])])
        rows.append({"network": entry.network,
                     "our step, ms": spread([1e3 * t for t in times["ours"]]),
                     "bare step, ms": spread([1e3 * t for t in times["bare"]]),
                     "ratio": ratio, "target": 1.1, "reached": ratio["median"] <= 1.1})
        reached = flops / spread(times["ours"])["median"]
        best = matmul_flops(dtype)
        flop_rows.append({"network": entry.network,
                          "precision": str(dtype).removeprefix("torch."),
                          "our step, GFLOP/s": reached / 1e9,
                          "matrix product, GFLOP/s": best / 1e9,
                          "share": f"{reached / best:.0%}"})
    return rows, flop_rows


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
    return [{"operation": name} | {network: f"{one.get(name, 0):.0%}"
                                   for network, one in shares.items()}
            for name in [*shown, "all others"]]
