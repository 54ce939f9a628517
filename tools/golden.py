"""Writes the golden files in tests/goldens: what PyTorch says, for Saccade's tests. See tests/goldens/README.md.

    python tools/golden.py            # all of them
    python tools/golden.py affine     # those whose name holds "affine"

Needs torch, torchvision, numpy and, for "regressions", scikit-learn. Inputs and weights are rounded to float32 first; everything after is float64.
"""

import colorsys
import json
import sys
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
import torchvision
from torchvision.transforms import _functional_tensor as T
from torchvision.transforms import functional as TF
from torchvision.transforms import InterpolationMode

VERSION = 1
FOLDER = Path(__file__).resolve().parent.parent / "tests" / "goldens"
SAMPLE = 4096
"""Elements kept of a gradient with more than FULL elements."""
FULL = 20_000

torch.set_num_threads(2)


# ---- random numbers: Threefry-2x32 with 20 rounds, key (seed, stream), counter (index, 0) ----


def threefry2x32(key, counter):
    """The two u32 words of every counter; `counter` is a pair of u32 arrays."""
    rotations = (13, 15, 26, 6, 17, 29, 16, 24)
    k0, k1 = (np.uint32(k) for k in key)
    keys = (k0, k1, k0 ^ k1 ^ np.uint32(0x1BD11BDA))
    with np.errstate(over="ignore"):
        x0, x1 = (np.asarray(c, np.uint32) for c in counter)
        x0, x1 = x0 + keys[0], x1 + keys[1]
        for round in range(20):
            x0 = x0 + x1
            r = rotations[round % 8]
            x1 = ((x1 << np.uint32(r)) | (x1 >> np.uint32(32 - r))) ^ x0
            if round % 4 == 3:
                i = (round + 1) // 4
                x0, x1 = x0 + keys[i % 3], x1 + keys[(i + 1) % 3] + np.uint32(i)
    return x0, x1


def words(seed, stream, count):
    index = np.arange(count, dtype=np.uint32)
    return threefry2x32((seed, stream), (index, np.zeros_like(index)))[0]


def uniform(seed, stream, count):
    """Multiples of 2^-24 in [0, 1)."""
    return (words(seed, stream, count) >> np.uint32(8)).astype(np.float64) * 2.0**-24


def signs(seed, stream, count):
    """+1 where the uniform number is below 1/2, −1 elsewhere."""
    return np.where(uniform(seed, stream, count) < 0.5, 1.0, -1.0)


def check_threefry():
    for key, counter, wanted in [
        ((0, 0), (0, 0), (0x6B200159, 0x99BA4EFE)),
        ((0xFFFFFFFF,) * 2, (0xFFFFFFFF,) * 2, (0x1CB996FC, 0xBB002BE7)),
        ((0x13198A2E, 0x03707344), (0x243F6A88, 0x85A308D3), (0xC4923A9C, 0x483DF7A0)),
    ]:
        got = tuple(int(w[0]) for w in threefry2x32(key, ([counter[0]], [counter[1]])))
        assert got == wanted, f"threefry2x32 of key {key}: {got}, wanted {wanted}"


# ---- files ----


class Golden:
    """One NAME.json and one NAME.bin."""

    def __init__(self, name, about):
        self.name, self.about = name, about
        self.tensors, self.generated, self.facts = [], [], {}
        self.bytes = bytearray()

    def tensor(self, name, values):
        values = np.ascontiguousarray(values)
        dtype = "int32" if values.dtype.kind in "iu" else "float32"
        data = values.astype("<i4" if dtype == "int32" else "<f4")
        self.tensors.append(
            {"name": name, "shape": list(data.shape), "dtype": dtype, "offset": len(self.bytes), "length": data.size}
        )
        self.bytes += data.tobytes()

    def weights(self, name, shape, seed, stream, bound):
        """float32((2u − 1)·bound), not stored."""
        self.generated.append({"name": name, "shape": shape, "seed": seed, "stream": stream, "bound": bound})
        return ((2 * uniform(seed, stream, int(np.prod(shape))) - 1) * bound).astype("f4").reshape(shape)

    def pictures(self, name, shape, seed, stream, row_scale):
        """float32(u·rowScale[row]), not stored; row is the first index."""
        self.generated.append({"name": name, "shape": shape, "seed": seed, "stream": stream, "rowScale": row_scale})
        rows = uniform(seed, stream, int(np.prod(shape))).reshape(shape[0], -1)
        return (rows * np.asarray(row_scale)[:, None]).astype("f4").reshape(shape)

    def write(self):
        header = {
            "version": VERSION,
            "regenerate": "python tools/golden.py",
            "torch": torch.__version__,
            "torchvision": torchvision.__version__,
            "about": self.about,
        }
        lists = {"tensors": self.tensors, "generated": self.generated}
        (FOLDER / f"{self.name}.json").write_text(plain({**header, **self.facts, **lists}) + "\n", encoding="utf-8")
        (FOLDER / f"{self.name}.bin").write_bytes(self.bytes)
        print(f"{self.name}: {len(self.bytes)} bytes of tensors")


def plain(facts):
    """JSON with one line per member, and one per item of a list of objects."""

    def value(v):
        if isinstance(v, list) and v and isinstance(v[0], dict):
            return "[\n" + ",\n".join(f"    {json.dumps(item, ensure_ascii=False)}" for item in v) + "\n  ]"
        return json.dumps(v, ensure_ascii=False)

    return "{\n" + ",\n".join(f'  "{key}": {value(v)}' for key, v in facts.items()) + "\n}"


# ---- the hinge steps ----


@dataclass
class Network:
    name: str
    height: int
    channels: int
    blocks: list  # (outputs, what follows the convolution)
    embedding: int = 64
    gains: list = field(default_factory=list)
    """Factors on the bounds of the blocks and the head; powers of two."""

    def weight_shapes(self):
        """[(name, shape in Saccade's layout, stream)], blocks first."""
        shapes, c, side = [], self.channels, self.height
        for i, (outputs, after) in enumerate(self.blocks, 1):
            shapes.append((f"conv{i}.weight", [3, 3, c, outputs], i))
            c = outputs
            side = side // 2 if "maxPool" in after else side
        self.features = (side, side, c)
        return [*shapes, ("head.weight", [side * side * c, self.embedding], 100)]


CIFAR = Network(
    name="cifar",
    height=32,
    channels=3,
    blocks=[(32, ["hardtanh"]), (32, ["maxPool"]), (64, ["hardtanh"]), (64, ["maxPool"]), (512, ["maxPool"])],
    gains=[2, 2, 2, 2, 2, 0.25],
)
MNIST = Network(
    name="mnist",
    height=28,
    channels=1,
    blocks=[(32, ["maxPool", "tanh"]), (64, ["maxPool", "tanh"]), (128, ["maxPool", "tanh"])],
    gains=[2, 2, 2, 0.5],
)


def to_torch(network, weight):
    """Saccade's [kh, kw, in, out] or [(h, w, c), out] → PyTorch's [out, in, kh, kw] or [out, (c, h, w)]; a bias is a bias."""
    weight = torch.as_tensor(weight)
    if weight.dim() == 1:
        return weight
    if weight.dim() == 4:
        return weight.permute(3, 2, 0, 1).contiguous()
    return weight.reshape(*network.features, -1).permute(3, 2, 0, 1).flatten(1).contiguous()


def to_saccade(network, weight):
    if weight.dim() == 1:
        return weight
    if weight.dim() == 4:
        return weight.permute(2, 3, 1, 0).contiguous()
    h, w, c = network.features
    return weight.reshape(-1, c, h, w).permute(2, 3, 1, 0).flatten(0, 2).contiguous()


class FeedbackConv2d(torch.autograd.Function):
    """A convolution whose error goes down through `feedback` instead of `weight`; feedback receives the weight's gradient."""

    @staticmethod
    def forward(ctx, x, weight, feedback):
        ctx.save_for_backward(x, weight, feedback)
        return F.conv2d(x, weight, padding=1)

    @staticmethod
    def backward(ctx, error):
        x, weight, feedback = ctx.saved_tensors
        down = torch.nn.grad.conv2d_input(x.shape, feedback, error, padding=1)
        change = torch.nn.grad.conv2d_weight(x, weight.shape, error, padding=1)
        return down, change, change if ctx.needs_input_grad[2] else None


class FeedbackLinear(torch.autograd.Function):
    """The same for a linear layer without a bias."""

    @staticmethod
    def forward(ctx, x, weight, feedback):
        ctx.save_for_backward(x, feedback)
        return x @ weight.T

    @staticmethod
    def backward(ctx, error):
        x, feedback = ctx.saved_tensors
        change = error.T @ x
        return error @ feedback, change, change if ctx.needs_input_grad[2] else None


def note(gaps, key, values):
    if gaps is not None:
        gaps[key] = min(gaps.get(key, float("inf")), values.min().item())


def activate(x, kind, gaps=None, key="hardtanh"):
    if kind == "hardtanh":
        note(gaps, key, (x.abs() - 1).abs())
        return F.hardtanh(x)
    return torch.tanh(x) if kind == "tanh" else x


def forward_block(x, weight, after, feedback=None, gaps=None):
    """Convolution and what follows; notes in `gaps` how near it comes to a tie in pooling or a corner of Hardtanh."""
    x = F.conv2d(x, weight, padding=1) if feedback is None else FeedbackConv2d.apply(x, weight, feedback)
    for step in after:
        if step == "maxPool":
            if gaps is not None:
                h, w = x.shape[2] // 2, x.shape[3] // 2
                windows = x[:, :, : 2 * h, : 2 * w].unfold(2, 2, 2).unfold(3, 2, 2).flatten(4)
                best = windows.topk(2, dim=-1).values
                note(gaps, "pooling", best[..., 0] - best[..., 1])
            x = F.max_pool2d(x, 2)
        else:
            x = activate(x, step, gaps)
    return x


def forward(network, values, x, gaps=None, first=0):
    """Embeddings; the first `first` blocks only run forward. Where a layer has feedback, its error goes down through that."""
    for i, (_, after) in enumerate(network.blocks):
        name = f"conv{i + 1}"
        with torch.set_grad_enabled(i >= first):
            x = forward_block(x, values[f"{name}.weight"], after, values.get(f"{name}.feedback.weight"), gaps)
    x, weight, feedback = x.flatten(1), values["head.weight"], values.get("head.feedback.weight")
    return x @ weight.T if feedback is None else FeedbackLinear.apply(x, weight, feedback)


def negative_weights(negatives, n):
    """[n, n]: weight of view t as a negative of anchor s."""
    weight = torch.zeros(n, n, dtype=torch.float64)
    for s in range(n):
        if negatives["kind"] == "all":
            weight[s] = 1
            weight[s, s] = 0
        elif negatives["kind"] == "next":
            for i in range(1, negatives["count"] + 1):
                weight[s, (s + i) % n] = 1
        else:
            for i in range(1, negatives["count"]):
                if s + i < n:
                    weight[s, s + i] = 1 / negatives["count"]
    return weight


def hinge(embeddings, loss, gaps=None):
    """Equation 2; also how many of its terms are above 0."""
    n = embeddings.shape[0] // 2
    a, b = embeddings[:n], embeddings[n:]
    if loss["gradientBlock"]:
        a = a.detach()
    differences = a[:, None] - b[None]
    distances = differences.abs().sum(2)
    weight = negative_weights(loss["negatives"], n).to(embeddings.dtype)
    positive = F.relu(distances.diagonal() - loss["m1"])
    negative = F.relu(loss["m2"] - distances)
    value = positive.sum() + (weight * negative).sum()
    if gaps is not None:
        used = weight > 0
        open = (used & (negative > 0)) | torch.diag(positive > 0)
        margins = [(distances.diagonal() - loss["m1"]).abs(), (loss["m2"] - distances[used]).abs()]
        gaps["margins"] = torch.cat(margins).min().item()
        gaps["signs"] = differences[open].abs().min().item() if open.any() else float("inf")
    counts = {
        "positives": int((positive > 0).sum()),
        "ofPositives": n,
        "negatives": int(((negative > 0) & (weight > 0)).sum()),
        "ofNegatives": int((weight > 0).sum()),
    }
    return value, counts


# ---- rules: what a step changes ----


@dataclass
class Rule:
    """Layers from `first` on learn from the error that autograd carries down, through feedback weights where there are any."""

    update: str = "BP"
    """BP, RF, URF."""
    first: int = 0
    """Number of blocks at the bottom that only run forward."""

    def extras(self, network):
        """Parameters beside the network's: [(name, shape, stream, fan-in, gain)]."""
        if self.update == "BP":
            return []
        above = [*zip(network.weight_shapes(), network.gains)][self.first + 1 :]
        return [
            (name.replace(".weight", ".feedback.weight"), shape, 20 + stream, int(np.prod(shape[:-1])), gain)
            for (name, shape, stream), gain in above
        ]

    def learners(self, network):
        """Names of what receives a gradient."""
        names = [name for name, _, _ in network.weight_shapes()][self.first :]
        return names + ([name for name, *_ in self.extras(network)] if self.update == "URF" else [])

    def step(self, network, values, x, loss):
        """(loss, gradients by name)."""
        names = self.learners(network)
        values = {name: v.detach().requires_grad_(name in names) for name, v in values.items()}
        value, _ = hinge(forward(network, values, x, first=self.first), loss)
        return value, dict(zip(names, torch.autograd.grad(value, [values[name] for name in names])))

    def learning_rate(self, name, base):
        return base


@dataclass
class TargetPropagation(Rule):
    """DTP as the authors' code has it: targets from the inverses as they were, no noise, the head by the loss's own gradient."""

    update: str = "DTP"
    target_step: float = 0.5
    """For a mean loss; a sum's is divided by the images."""
    inverse_learning_rate: float = 1e-3
    inverse_gain: float = 2

    def extras(self, network):
        made = []
        for (name, shape, stream), block in zip(network.weight_shapes()[1:-1], range(2, len(network.blocks) + 1)):
            # PyTorch counts the fan-in of ConvTranspose2d's weight [in, out, k, k] as out · k².
            fan_in, inputs = int(np.prod(shape[:-1])), shape[2]
            made.append((f"conv{block}.inverse.weight", shape, 40 + stream, fan_in, self.inverse_gain))
            made.append((f"conv{block}.inverse.bias", [inputs], 60 + stream, fan_in, self.inverse_gain))
        return made

    def learners(self, network):
        return [name for name, *_ in [*network.weight_shapes(), *self.extras(network)]]

    def inverse(self, network, values, block, y, gaps=None):
        """g of block `block` (from 1): strided transposed convolution, then the activation of the block below."""
        _, after = network.blocks[block - 1]
        stride = 2 if "maxPool" in after else 1
        weight, bias = (values[f"conv{block}.inverse.{part}"] for part in ("weight", "bias"))
        y = F.conv_transpose2d(y, weight, bias, stride=stride, padding=1, output_padding=stride - 1)
        below = [step for step in network.blocks[block - 2][1] if step != "maxPool"]
        return activate(y, below[0] if below else "none", gaps, "inverses")

    def targets(self, network, values, activities, top, images, gaps=None):
        """Targets of blocks 1 … L from their activities and ∂L/∂(the last one)."""
        targets = [activities[-1] - self.target_step / images * top]
        for block in range(len(network.blocks), 1, -1):
            at_target = self.inverse(network, values, block, targets[0], gaps)
            at_activity = self.inverse(network, values, block, activities[block - 1], gaps)
            targets.insert(0, activities[block - 2] + at_target - at_activity)
        return targets

    def run(self, network, values, x, loss, gaps=None):
        """(loss, gradients by name, targets of blocks 1 … L)."""
        values = {name: v.detach().requires_grad_() for name, v in values.items()}
        blocks = [f"conv{i}" for i in range(1, len(network.blocks) + 1)]
        inputs, outputs = [x], []
        for name, (_, after) in zip(blocks, network.blocks):
            outputs.append(forward_block(inputs[-1], values[f"{name}.weight"], after))
            inputs.append(outputs[-1].detach())
        top = inputs[-1].requires_grad_()
        value, _ = hinge(top.flatten(1) @ values["head.weight"].T, loss)
        head, error = torch.autograd.grad(value, [values["head.weight"], top])
        gradients = {"head.weight": head}
        with torch.no_grad():
            targets = self.targets(network, values, inputs[1:], error, x.shape[0] // 2, gaps)
        for name, output, target in zip(blocks, outputs, targets):
            weight = f"{name}.weight"
            (gradients[weight],) = torch.autograd.grad(F.mse_loss(output, target), values[weight])
        for block in range(2, len(blocks) + 1):
            names = [f"conv{block}.inverse.{part}" for part in ("weight", "bias")]
            rebuilt = self.inverse(network, values, block, inputs[block].detach())
            error = F.mse_loss(rebuilt, inputs[block - 1].detach())
            gradients |= zip(names, torch.autograd.grad(error, [values[name] for name in names]))
        return value, gradients, targets

    def step(self, network, values, x, loss):
        value, gradients, _ = self.run(network, values, x, loss)
        return value, {name: gradients[name] for name in self.learners(network)}

    def learning_rate(self, name, base):
        return self.inverse_learning_rate if "inverse" in name else base


def adam_steps(rule, network, values, x, loss, options, steps):
    """The loss before each step on the same batch, and the values after the last."""
    values = {name: v.clone() for name, v in values.items()}
    betas = (options["beta1"], options["beta2"])
    groups = [
        {"params": [values[name]], "lr": rule.learning_rate(name, options["learningRate"])}
        for name in rule.learners(network)
    ]
    adam = torch.optim.Adam(groups, betas=betas, eps=options["epsilon"])
    losses = []
    for _ in range(steps):
        value, gradients = rule.step(network, values, x, loss)
        for name, gradient in gradients.items():
            values[name].grad = gradient
        adam.step()
        losses.append(value.item())
    return losses, values


def adam_golden(rule, network, values, x, loss, options, steps):
    """The facts, and the exact values after the last step."""
    exact, after = adam_steps(rule, network, double(values), x.double(), loss, options, steps)
    # Signs and first maxima flip after a few steps: two float32 runs with different orders of summation say when.
    drift = np.zeros(steps)
    for order in (torch.contiguous_format, torch.channels_last):
        rough, near = adam_steps(rule, network, values, x.contiguous(memory_format=order), loss, options, steps)
        drift = np.maximum(drift, [abs(a - b) / (b + exact[0]) for a, b in zip(rough, exact)])
    drift = [float(f"{d:.0e}") for d in np.maximum.accumulate(drift)]
    print(f"  Adam {options['learningRate']}:", *(f"{loss:.4f}" for loss in exact), "| float32 off by", *drift)
    return {"options": options, "losses": exact, "float32Drift": drift}, after, near


def adam_options(learning_rate):
    return {"learningRate": learning_rate, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8}


def double(values):
    return {name: v.double() for name, v in values.items()}


def inputs(golden, network, rule, n, seed):
    """Parameters by name and views of a seed, in float32 and in PyTorch's layout."""
    own = [(*entry, int(np.prod(entry[1][:-1])), gain) for entry, gain in zip(network.weight_shapes(), network.gains)]
    values = {}
    for name, shape, stream, fan_in, gain in [*own, *rule.extras(network)]:
        bound = float(np.float32(1 / np.sqrt(fan_in))) * gain
        values[name] = to_torch(network, golden.weights(name, shape, seed, stream, bound))
    # Dim pairs are near each other and bright ones are not, so that some gates of either kind open and some do not.
    row_scale = [ROW_SCALES[s % len(ROW_SCALES)] for s in range(n)] * 2
    shape = [2 * n, network.height, network.height, network.channels]
    views = golden.pictures("views", shape, seed, 200, row_scale)
    return values, torch.as_tensor(views).permute(0, 3, 1, 2).contiguous()


ROW_SCALES = [1, 0.25, 0.5, 0.25, 1, 0.25, 0.75, 0.5]


def sampled(values, full):
    """(stride, kept elements) of a flat array of more than `full` elements; an odd stride visits every channel."""
    stride = 1 if values.size <= full else ((values.size - 1) // SAMPLE) | 1
    return stride, values if stride == 1 else values[::stride][:SAMPLE]


def whole(values, seed, stream):
    """Facts on all elements of a flat array."""
    dot = values @ signs(seed, stream, values.size)
    return {"sum": values.sum(), "norm": np.linalg.norm(values), "dot": dot, "dotStream": stream}


def step_golden(name, about, network, rule, seed, loss, rates, steps, full):
    """(golden, parameters by name in float32, x), with the facts that every golden of a step states."""
    golden = Golden(name, about)
    n = 8
    values, x = inputs(golden, network, rule, n, seed)
    exact = double(values)
    gaps = {}
    embeddings = forward(network, exact, x.double(), gaps)
    value, gates = hinge(embeddings, loss, gaps)
    assert gaps["pooling"] > 1e-6, f"{name}: a pooling window's best two are {gaps['pooling']} apart; take another seed"
    golden.tensor("embeddings", embeddings.numpy())

    streams = {entry[0]: entry[2] for entry in [*network.weight_shapes(), *rule.extras(network)]}
    _, gradients = rule.step(network, exact, x.double(), loss)
    _, near = rule.step(network, values, x, loss)
    facts, errors = [], []
    for layer, gradient in gradients.items():
        if "feedback" in layer:
            # URF's: its weight's, by the rule.
            continue
        saccade = to_saccade(network, gradient)
        flat = saccade.flatten().numpy()
        errors.append(((gradient - near[layer].double()).norm() / gradient.norm()).item())
        stride, kept = sampled(flat, full)
        golden.tensor(f"{layer}.gradient", kept.reshape(saccade.shape) if stride == 1 else kept)
        facts.append(
            {
                "weight": layer,
                "shape": list(saccade.shape),
                "stride": stride,
                **whole(flat, seed, 300 + streams[layer]),
            }
        )
    adam = [adam_golden(rule, network, values, x, loss, adam_options(rate), steps) for rate in rates]
    golden.facts = {
        "network": network.name,
        "images": n,
        "seed": seed,
        "loss": loss,
        "gains": network.gains,
        "gates": gates,
        "gaps": gaps,
        "lossValue": value.item(),
        "adam": [facts for facts, _, _ in adam],
        "gradients": facts,
    }
    print("  gates", gates, "gaps", {k: float(f"{v:.1e}") for k, v in gaps.items()})
    # Not stored: for choosing tolerances.
    print("  PyTorch in float32: gradients' relative errors", *(f"{e:.0e}" for e in errors))
    return golden, values, x, adam


def hinge_golden(name, about, network, seed, loss):
    golden, *_ = step_golden(name, about, network, Rule(), seed, loss, rates=(1e-3, 1e-4), steps=10, full=FULL)
    golden.write()


HINGE = "Contrastive hinge step: n pictures, rows 0…n−1 of views are anchors A, rows n…2n−1 their partners B. "
CIFAR_SEED, MNIST_SEED = 181, 57
"""Of 1…299, the second best by their nearest tie in pooling: Adam's ten steps stay longer clear of ties than the best's."""


def hinges():
    cifar = {"m1": 1, "m2": 3}
    cases = [
        ("cifar-hinge-all", "All negatives.", {"negatives": {"kind": "all"}, "gradientBlock": False}),
        (
            "cifar-hinge-5-block",
            "5 negatives t = s+1…s+5 modulo n, anchors detached.",
            {"negatives": {"kind": "next", "count": 5}, "gradientBlock": True},
        ),
        (
            "cifar-hinge-authors-code",
            "Negatives on super-diagonals 1…4, no wrap-around, weight 1/5 each; anchors not detached.",
            {"negatives": {"kind": "authorsCode", "count": 5}, "gradientBlock": False},
        ),
    ]
    for name, about, loss in cases:
        yield name, lambda n=name, a=about, x=loss: hinge_golden(n, HINGE + a, CIFAR, CIFAR_SEED, {**cifar, **x})
    loss = {"m1": 1, "m2": 1.5, "negatives": {"kind": "all"}, "gradientBlock": False}
    about = HINGE + "All negatives."
    yield "mnist-hinge-all", lambda: hinge_golden("mnist-hinge-all", about, MNIST, MNIST_SEED, loss)


LESSON = Network(name="cifar", height=32, channels=3, blocks=CIFAR.blocks[:3], gains=[*CIFAR.gains[:3], 0.25])
"""Layer 3 with a head of its own, on blocks 1 and 2: a step of GLL or RLL."""
LESSON_SEED = 72
"""Of 1…119, the best by its nearest tie in pooling or corner of Hardtanh."""


def rule_golden(name, about, network, rule, seed, loss, steps=5):
    golden, values, x, [(_, after, near)] = step_golden(
        name, about, network, rule, seed, loss, rates=[1e-4], steps=steps, full=SAMPLE
    )
    streams = {entry[0]: 500 + entry[2] for entry in network.weight_shapes()}
    golden.facts |= {"update": rule.update, "first": rule.first, "end": len(network.blocks)}
    if rule.update == "URF":
        golden.facts["moves"] = moves(golden, network, values, after, near, streams, seed)
    if rule.update == "DTP":
        golden.facts["targets"] = targets(golden, network, rule, values, x, loss, streams, seed)
    golden.write()


def moves(golden, network, values, after, near, streams, seed):
    """How far each weight with feedback went in Adam's steps, and its feedback the same way."""
    facts = []
    for layer, stream in streams.items():
        feedback = layer.replace(".weight", ".feedback.weight")
        if feedback not in values:
            continue
        way, other = (to_saccade(network, after[w] - values[w].double()).flatten().numpy() for w in (layer, feedback))
        assert np.abs(way - other).max() < 1e-15
        stride, kept = sampled(way, SAMPLE)
        golden.tensor(f"{layer}.move", kept)
        facts.append({"weight": layer, "feedback": feedback, "stride": stride, **whole(way, seed, stream)})
        rough = (near[layer].double() - values[layer].double() - (after[layer] - values[layer].double())).norm()
        print(f"  {layer} moves {np.linalg.norm(way):.3e}, PyTorch in float32 off by {rough / np.linalg.norm(way):.0e}")
    return facts


def targets(golden, network, rule, values, x, loss, streams, seed):
    """The target of every block, and how far it is from the activity."""
    gaps = golden.facts["gaps"]
    _, _, exact = rule.run(network, double(values), x.double(), loss, gaps)
    _, _, near = rule.run(network, values, x, loss)
    facts = []
    for (layer, stream), target, rough in zip(streams.items(), exact, near):
        name = f"{layer.removesuffix('.weight')}.target"
        flat = target.permute(0, 2, 3, 1).flatten().numpy()
        stride, kept = sampled(flat, SAMPLE)
        golden.tensor(name, kept)
        facts.append({"target": name, "stride": stride, **whole(flat, seed, stream)})
        print(f"  {name}: PyTorch in float32 off by {(target - rough.double()).norm() / target.norm():.0e}")
    print("  nearest corner of an inverse's Hardtanh", f"{gaps['inverses']:.0e}")
    return facts


def rules():
    all_negatives = {"m1": 1, "m2": 3, "negatives": {"kind": "all"}, "gradientBlock": False}
    blocked = {"m1": 1, "m2": 3, "negatives": {"kind": "next", "count": 5}, "gradientBlock": True}
    cases = [
        ("cifar-rf", "RF, all negatives.", CIFAR, Rule("RF"), CIFAR_SEED, all_negatives, 5),
        ("cifar-urf", "URF, 5 negatives, anchors detached.", CIFAR, Rule("URF"), CIFAR_SEED, blocked, 3),
        (
            "cifar-layer-3-rf",
            "The lesson of layer 3 under GLL or RLL, RF through its own head, 5 negatives, anchors detached.",
            LESSON,
            Rule("RF", first=2),
            LESSON_SEED,
            blocked,
            5,
        ),
        (
            "cifar-dtp",
            "DTP, targets first, no noise, all negatives.",
            CIFAR,
            TargetPropagation(),
            CIFAR_SEED,
            all_negatives,
            5,
        ),
    ]
    for name, about, *rest in cases:
        yield name, lambda n=name, a=about, r=rest: rule_golden(n, HINGE + a, *r)


# ---- views ----


def bytes_picture(golden, shape, seed):
    """A picture of random bytes, stored as `pixels`; in [0, 1], channels first."""
    pixels = np.floor(uniform(seed, 200, int(np.prod(shape))) * 256).astype(np.int32).reshape(shape)
    if shape[0] == 4:
        # Grey, black, white, two channels that tie for the greatest.
        pixels[0, :, :] = [[128, 128, 128], [0, 0, 0], [255, 255, 255], [200, 200, 31]]
    golden.tensor("pixels", pixels)
    return torch.as_tensor(pixels / 255).permute(2, 0, 1)


def channels_last(picture):
    return picture.permute(1, 2, 0).numpy()


def rounded(*values):
    """The same numbers as float32 holds them."""
    return [float(np.float32(v)) for v in values]


def adjust_hue(picture, shift):
    """torchvision's adjust_hue without its detour through float32."""
    h, s, v = T._rgb2hsv(picture).unbind(-3)
    result = T._hsv2rgb(torch.stack([(h + shift) % 1.0, s, v], -3))
    assert (result - TF.adjust_hue(picture, shift)).abs().max() < 1e-5
    return result


def augment_jitter():
    golden = Golden("augment-jitter", "torchvision's colour jitter on pixels / 255: steps in order, then grey.")
    picture = bytes_picture(golden, [4, 4, 3], seed=1)
    steps = {
        "brightness": TF.adjust_brightness,
        "contrast": TF.adjust_contrast,
        "saturation": TF.adjust_saturation,
        "hue": adjust_hue,
    }
    b, c, s, h = steps
    factors = [
        ([b], (1.7, 1, 1, 0), False),
        ([c], (1, 1.8, 1, 0), False),
        ([c], (1, 0.3, 1, 0), False),
        ([s], (1, 1, 1.6, 0), False),
        ([s], (1, 1, 0.2, 0), False),
        ([h], (1, 1, 1, 0.17), False),
        ([h], (1, 1, 1, -0.2), False),
        ([], (1, 1, 1, 0), True),
        ([b, c, s, h], (1.3, 0.6, 1.5, 0.11), False),
        ([h, s, c, b], (1.3, 0.6, 1.5, 0.11), False),
        ([c, h, b, s], (0.4, 1.7, 0.5, -0.13), False),
        ([s, b, h, c], (1.6, 1.4, 1.2, -0.05), True),
    ]
    cases, outputs = [], []
    for order, values, grey in factors:
        case = {"order": order, **dict(zip(steps, rounded(*values))), "grey": grey}
        result = picture
        for step in order:
            result = steps[step](result, case[step])
        cases.append(case)
        outputs.append(channels_last(TF.rgb_to_grayscale(result, 3) if grey else result))
    golden.tensor("outputs", np.stack(outputs))
    golden.facts = {"cases": cases}
    golden.write()


def resized_crop():
    golden = Golden(
        "resized-crop", "torchvision's resized_crop of pixels / 255 to 32 by 32: bilinear, antialias=False. In pixels."
    )
    picture = bytes_picture(golden, [32, 32, 3], seed=2)
    cases = [
        {"top": 3, "left": 5, "height": 17, "width": 20},
        {"top": 23, "left": 1, "height": 9, "width": 12},
        {"top": 0, "left": 4, "height": 32, "width": 27},
    ]
    outputs = [
        TF.resized_crop(picture, **case, size=[32, 32], interpolation=InterpolationMode.BILINEAR, antialias=False)
        for case in cases
    ]
    golden.tensor("outputs", np.stack([channels_last(o) for o in outputs]))
    golden.facts = {"cases": cases}
    golden.write()


def antialiased_crop():
    golden = Golden(
        "antialiased-crop",
        "torchvision's resized_crop of pixels / 255 to 16 by 16, as it is by default: bilinear, antialias=True. In pixels.",
    )
    picture = bytes_picture(golden, [36, 40, 3], seed=5)
    cases = [
        {"top": 5, "left": 9, "height": 24, "width": 24},
        {"top": 0, "left": 0, "height": 36, "width": 40},
        {"top": 2, "left": 11, "height": 31, "width": 9},
        {"top": 20, "left": 30, "height": 7, "width": 10},
        {"top": 1, "left": 3, "height": 17, "width": 19},
    ]
    outputs = [TF.resized_crop(picture, **case, size=[16, 16], interpolation=InterpolationMode.BILINEAR) for case in cases]
    golden.tensor("outputs", np.stack([channels_last(o) for o in outputs]))
    golden.facts = {"cases": cases}
    golden.write()


def affine():
    golden = Golden(
        "affine",
        "PyTorch's affine_grid and grid_sample of pixels / 255: bilinear, align_corners=True; theta row by row, x first.",
    )
    picture = bytes_picture(golden, [12, 10, 3], seed=3)
    cases, outputs = [], []
    for values in [(1.2, 0.15, -0.3, -0.2, 0.8, 0.24), (0.75, -0.22, 0.5, 0.1, 1.25, -0.44)]:
        theta = rounded(*values)
        for outside in ("zeros", "border"):
            grid = F.affine_grid(
                torch.tensor(theta, dtype=torch.float64).view(1, 2, 3), [1, *picture.shape], align_corners=True
            )
            result = F.grid_sample(picture[None], grid, mode="bilinear", padding_mode=outside, align_corners=True)
            cases.append({"theta": theta, "outside": outside})
            outputs.append(channels_last(result[0]))
    golden.tensor("outputs", np.stack(outputs))
    golden.facts = {"cases": cases}
    golden.write()


def hsv():
    golden = Golden(
        "hsv", "colorsys on pixels / 255: S becomes min(1, S·saturation), H becomes (H + hue) mod 1; saturation is 2^v."
    )
    picture = channels_last(bytes_picture(golden, [4, 4, 3], seed=4))
    cases, outputs = [], []
    for v, shift in [(1.5, 0.08), (-1.25, -0.1), (0.4, -0.03), (-2, 0.1)]:
        saturation, hue = rounded(2**v, shift)
        result = np.empty_like(picture)
        for at in np.ndindex(4, 4):
            h, s, value = colorsys.rgb_to_hsv(*picture[at])
            result[at] = colorsys.hsv_to_rgb((h + hue) % 1, min(1, s * saturation), value)
        cases.append({"saturation": saturation, "hue": hue})
        outputs.append(result)
    golden.tensor("outputs", np.stack(outputs))
    golden.facts = {"cases": cases}
    golden.write()


def optimisers():
    """Weights on their way under given gradients, for each optimiser and schedule."""
    from torch.optim import SGD, Adam, AdamW
    from torch.optim.lr_scheduler import ConstantLR, CosineAnnealingLR, LinearLR, MultiStepLR, SequentialLR

    updates, warmup = 12, 3
    golden = Golden("optimisers", "Weights [updates, 6] after each update under given gradients [updates, 6], by optimiser and schedule.")
    gradients = golden.weights("gradients", [updates, 6], 1, 0, 1.0)
    start = golden.weights("start", [6], 1, 1, 0.5)

    def warm(optimiser, rest):
        return SequentialLR(optimiser, [LinearLR(optimiser, 1 / warmup, 1.0, warmup - 1), rest], [warmup])

    schedules = {
        "constant": ({"kind": "constant", "warmup": 0}, lambda o: ConstantLR(o, 1.0, 1)),
        "warmup": ({"kind": "constant", "warmup": warmup}, lambda o: warm(o, ConstantLR(o, 1.0, 1))),
        "cosine": (
            {"kind": "cosine", "warmup": warmup, "end": 0.1},
            lambda o: warm(o, CosineAnnealingLR(o, updates - warmup, 0.1 * o.defaults["lr"])),
        ),
        "step": ({"kind": "step", "warmup": 0, "at": [0.5, 0.75], "factor": 0.1}, lambda o: MultiStepLR(o, [6, 9], 0.1)),
    }
    moments = {"beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8}
    kinds = [
        ({"kind": "adam", "learningRate": 0.01, **moments}, lambda p: Adam(p, 0.01)),
        (
            {"kind": "adamw", "learningRate": 0.01, **moments, "weightDecay": 0.3},
            lambda p: AdamW(p, 0.01, weight_decay=0.3),
        ),
        (
            {"kind": "sgd", "learningRate": 0.1, "momentum": 0.9, "nesterov": False, "weightDecay": 0},
            lambda p: SGD(p, 0.1, 0.9),
        ),
        (
            {"kind": "sgd", "learningRate": 0.1, "momentum": 0.8, "nesterov": True, "weightDecay": 0.2},
            lambda p: SGD(p, 0.1, 0.8, weight_decay=0.2, nesterov=True),
        ),
    ]
    cases = []
    for options, make in kinds:
        for name, (schedule, follow) in schedules.items():
            weight = torch.tensor(start.astype("f8"), requires_grad=True)
            optimiser = make([weight])
            scheduler = follow(optimiser)
            path = []
            for gradient in gradients:
                weight.grad = torch.tensor(gradient.astype("f8"))
                optimiser.step()
                scheduler.step()
                path.append(weight.detach().numpy().copy())
            golden.tensor(f"path{len(cases)}", np.stack(path))
            cases.append({"tensor": f"path{len(cases)}", "optimiser": {**options, "schedule": schedule}})
    golden.facts = {"cases": cases}
    golden.write()


def regressions():
    """scikit-learn's minima of the scale-free probe's objective, with fewer columns than rows and with more."""
    import sklearn
    from sklearn.linear_model import LogisticRegression

    golden = Golden("regressions", "Weights [classes, columns] and biases, of mean 0, of LogisticRegression on standardised rows.")
    cases = []
    for rows, columns, classes in [(120, 24, 4), (30, 80, 3)]:
        size = f"{rows}x{columns}"
        # Columns that vary by powers of ten around means of their own, and classes that overlap.
        x = 2 * uniform(5, columns, rows * columns).reshape(rows, columns) - 1
        labels = np.arange(rows) % classes
        teacher = uniform(6, columns, classes * columns).reshape(classes, columns) - 0.5
        scale, shift = 10.0 ** (np.arange(columns) % 5 - 2), np.arange(columns) % 3
        features = ((x + teacher[labels]) * scale + shift * scale).astype("f4")
        golden.tensor(f"{size} features", features)
        features = features.astype("f8")
        standard = (features - features.mean(0)) / features.std(0)
        for strength in [1.0, 1e-2, 1e-4]:
            # scikit-learn minimises C·Σ cross-entropy + ½‖W‖².
            model = LogisticRegression(C=1 / (rows * strength), tol=1e-11, max_iter=100_000).fit(standard, labels)
            name = f"{size} {strength}"
            golden.tensor(f"{name} weights", model.coef_)
            golden.tensor(f"{name} biases", model.intercept_ - model.intercept_.mean())
            cases.append({"features": f"{size} features", "classes": classes, "strength": strength, "name": name})
    golden.facts = {"sklearn": sklearn.__version__, "cases": cases}
    golden.write()


def main():
    check_threefry()
    FOLDER.mkdir(parents=True, exist_ok=True)
    goldens = dict(hinges()) | dict(rules())
    goldens |= {"augment-jitter": augment_jitter, "resized-crop": resized_crop, "antialiased-crop": antialiased_crop, "affine": affine, "hsv": hsv, "optimisers": optimisers}
    goldens |= {"regressions": regressions}
    wanted = sys.argv[1:] or [""]
    chosen = [make for name, make in goldens.items() if any(part in name for part in wanted)]
    if not chosen:
        sys.exit(f"golden.py: no golden is called like {' or '.join(wanted)}; there are {', '.join(goldens)}")
    for make in chosen:
        make()


if __name__ == "__main__":
    main()
