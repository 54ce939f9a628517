"""Writes the golden files in tests/goldens: what PyTorch says, for Saccade's tests. See tests/goldens/README.md.

    python tools/golden.py            # all of them
    python tools/golden.py affine     # those whose name holds "affine"

Needs torch, torchvision and numpy. Inputs and weights are rounded to float32 first; everything after is float64.
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
    """Saccade's [kh, kw, in, out] or [(h, w, c), out] → PyTorch's [out, in, kh, kw] or [out, (c, h, w)]."""
    weight = torch.as_tensor(weight)
    if weight.dim() == 4:
        return weight.permute(3, 2, 0, 1).contiguous()
    return weight.reshape(*network.features, -1).permute(3, 2, 0, 1).flatten(1).contiguous()


def to_saccade(network, weight):
    if weight.dim() == 4:
        return weight.permute(2, 3, 1, 0).contiguous()
    h, w, c = network.features
    return weight.reshape(-1, c, h, w).permute(2, 3, 1, 0).flatten(0, 2).contiguous()


def forward(network, weights, x, gaps=None):
    """Embeddings; notes in `gaps` how near the step comes to a tie in pooling or to a corner of Hardtanh."""

    def note(key, values):
        if gaps is not None:
            gaps[key] = min(gaps.get(key, float("inf")), values.min().item())

    for (_, after), weight in zip(network.blocks, weights):
        x = F.conv2d(x, weight, padding=1)
        for step in after:
            if step == "maxPool":
                if gaps is not None:
                    h, w = x.shape[2] // 2, x.shape[3] // 2
                    windows = x[:, :, : 2 * h, : 2 * w].unfold(2, 2, 2).unfold(3, 2, 2).flatten(4)
                    best = windows.topk(2, dim=-1).values
                    note("pooling", best[..., 0] - best[..., 1])
                x = F.max_pool2d(x, 2)
            elif step == "hardtanh":
                note("hardtanh", (x.abs() - 1).abs())
                x = F.hardtanh(x)
            else:
                x = torch.tanh(x)
    return x.flatten(1) @ weights[-1].T


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


def gradients_of(network, weights, x, loss):
    weights = [w.detach().requires_grad_() for w in weights]
    value, _ = hinge(forward(network, weights, x), loss)
    return torch.autograd.grad(value, weights)


def adam_losses(network, weights, x, loss, options):
    """The loss before each of STEPS steps on the same batch."""
    weights = [w.clone().requires_grad_() for w in weights]
    betas = (options["beta1"], options["beta2"])
    adam = torch.optim.Adam(weights, lr=options["learningRate"], betas=betas, eps=options["epsilon"])
    losses = []
    for _ in range(STEPS):
        value, _ = hinge(forward(network, weights, x), loss)
        adam.zero_grad()
        value.backward()
        adam.step()
        losses.append(value.item())
    return losses


STEPS = 10
ADAM = [{"learningRate": rate, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8} for rate in (1e-3, 1e-4)]


def adam_golden(network, weights, x, loss, options):
    exact = adam_losses(network, [w.double() for w in weights], x.double(), loss, options)
    # Signs and first maxima flip after a few steps: two float32 runs with different orders of summation say when.
    drift = np.zeros(STEPS)
    for order in (torch.contiguous_format, torch.channels_last):
        rough = adam_losses(network, weights, x.contiguous(memory_format=order), loss, options)
        drift = np.maximum(drift, [abs(a - b) / (b + exact[0]) for a, b in zip(rough, exact)])
    drift = [float(f"{d:.0e}") for d in np.maximum.accumulate(drift)]
    print(f"  Adam {options['learningRate']}:", *(f"{loss:.4f}" for loss in exact), "| float32 off by", *drift)
    return {"options": options, "losses": exact, "float32Drift": drift}


def inputs(golden, network, n, seed):
    """Weights and views of a seed, in float32 and in PyTorch's layout."""
    weights = []
    for (name, shape, stream), gain in zip(network.weight_shapes(), network.gains):
        bound = float(np.float32(1 / np.sqrt(np.prod(shape[:-1])))) * gain
        weights.append(to_torch(network, golden.weights(name, shape, seed, stream, bound)))
    # Dim pairs are near each other and bright ones are not, so that some gates of either kind open and some do not.
    row_scale = [ROW_SCALES[s % len(ROW_SCALES)] for s in range(n)] * 2
    shape = [2 * n, network.height, network.height, network.channels]
    views = golden.pictures("views", shape, seed, 200, row_scale)
    return weights, torch.as_tensor(views).permute(0, 3, 1, 2).contiguous()


ROW_SCALES = [1, 0.25, 0.5, 0.25, 1, 0.25, 0.75, 0.5]


def hinge_golden(name, about, network, seed, loss):
    golden = Golden(name, about)
    n = 8
    weights, x = inputs(golden, network, n, seed)
    exact = [w.double() for w in weights]
    gaps = {}
    embeddings = forward(network, exact, x.double(), gaps)
    value, gates = hinge(embeddings, loss, gaps)
    assert gaps["pooling"] > 1e-6, f"{name}: a pooling window's best two are {gaps['pooling']} apart; take another seed"
    golden.tensor("embeddings", embeddings.numpy())

    gradients = gradients_of(network, exact, x.double(), loss)
    near = gradients_of(network, weights, x, loss)
    facts, errors = [], []
    for (layer, shape, stream), gradient, rough in zip(network.weight_shapes(), gradients, near):
        flat = to_saccade(network, gradient).flatten().numpy()
        errors.append(((gradient - rough.double()).norm() / gradient.norm()).item())
        # An odd stride visits every channel.
        stride = 1 if flat.size <= FULL else (flat.size // SAMPLE - 1) | 1
        kept = flat.reshape(shape) if stride == 1 else flat[::stride][:SAMPLE]
        golden.tensor(f"{layer}.gradient", kept)
        facts.append(
            {
                "weight": layer,
                "shape": shape,
                "stride": stride,
                "sum": flat.sum(),
                "norm": np.linalg.norm(flat),
                "dot": flat @ signs(seed, 300 + stream, flat.size),
                "dotStream": 300 + stream,
            }
        )
    golden.facts = {
        "network": network.name,
        "images": n,
        "seed": seed,
        "loss": loss,
        "gains": network.gains,
        "gates": gates,
        "gaps": gaps,
        "lossValue": value.item(),
        "adam": [adam_golden(network, weights, x, loss, options) for options in ADAM],
        "gradients": facts,
    }
    golden.write()
    print("  gates", gates, "gaps", {k: float(f"{v:.1e}") for k, v in gaps.items()})
    # Not stored: for choosing tolerances.
    print("  PyTorch in float32: gradients' relative errors", *(f"{e:.0e}" for e in errors))


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


def main():
    check_threefry()
    FOLDER.mkdir(parents=True, exist_ok=True)
    goldens = dict(hinges())
    goldens |= {"augment-jitter": augment_jitter, "resized-crop": resized_crop, "affine": affine, "hsv": hsv}
    wanted = sys.argv[1:] or [""]
    chosen = [make for name, make in goldens.items() if any(part in name for part in wanted)]
    if not chosen:
        sys.exit(f"golden.py: no golden is called like {' or '.join(wanted)}; there are {', '.join(goldens)}")
    for make in chosen:
        make()


if __name__ == "__main__":
    main()
