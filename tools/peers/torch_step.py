"""Times training steps of the paper's networks in PyTorch, for `npm run bench`: forward, contrastive hinge with all
negatives, backward, Adam; on 2·images views that already lie in memory, or with "augment" on views that each step makes of
pictures in the device's memory. No biases. On "cuda" TF32 is as PyTorch has it.

    python3 tools/peers/torch_step.py --network cifar --images 500 --threads 2 --steps 5 --mode eager

prints one line of JSON with the wall-clock seconds of every step. With --serve, each line of JSON on the standard
input is such a request, {"network", "images", "threads", "mode", "steps", "margins": {"m1", "m2"}, "device", "augment"},
and is answered by one line. A network in a new mode is warmed up first.
"""

import argparse
import json
import statistics
import sys
import time

import torch
import torch.nn.functional as F
from torch import nn
from torch_views import VIEWS

WARM_UP = 1
MODES = ["eager", "channels-last", "compile"]
# Sides of the pictures that views are made of.
SIDES = {"cifar": 32, "vgg6": 96, "mnist": 28}
PICTURES = {"cifar": (3, 32, 32), "vgg6": (3, 64, 64), "mnist": (1, 28, 28)}


def network(name):
    def conv(inputs, outputs):
        return nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)

    def pool():
        return nn.MaxPool2d(2)

    layers = {
        "cifar": lambda: [
            *(conv(3, 32), nn.Hardtanh()),
            *(conv(32, 32), pool()),
            *(conv(32, 64), nn.Hardtanh()),
            *(conv(64, 64), pool()),
            *(conv(64, 512), pool()),
            *(nn.Flatten(), nn.Linear(8192, 64, bias=False)),
        ],
        "vgg6": lambda: [
            *(conv(3, 128), nn.Hardtanh()),
            *(conv(128, 256), nn.Hardtanh(), pool()),
            *(conv(256, 256), nn.Hardtanh()),
            *(conv(256, 512), nn.Hardtanh(), pool()),
            *(conv(512, 1024), nn.Hardtanh(), pool()),
            *(conv(1024, 1024), nn.Hardtanh(), pool()),
            *(nn.AvgPool2d(2), nn.Flatten(), nn.Linear(4096, 64, bias=False)),
        ],
        "mnist": lambda: [
            *(conv(1, 32), pool(), nn.Tanh()),
            *(conv(32, 64), pool(), nn.Tanh()),
            *(conv(64, 128), pool(), nn.Tanh()),
            *(nn.Flatten(), nn.Linear(1152, 64, bias=False)),
        ],
    }
    return nn.Sequential(*layers[name]())


def hinge(embeddings, m1, m2):
    a, b = embeddings.chunk(2)
    distances = torch.cdist(a, b, p=1)
    negatives = F.relu(m2 - distances)
    return F.relu(distances.diagonal() - m1).sum() + negatives.sum() - negatives.diagonal().sum()


class Learner:
    """A network with its optimiser, in one mode; `step` trains on one batch of views and returns the loss."""

    def __init__(self, name, mode, margins, device="cpu"):
        torch.manual_seed(0)
        model = network(name).to(device)
        if mode == "channels-last":
            model = model.to(memory_format=torch.channels_last)
        self.format = torch.channels_last if mode == "channels-last" else torch.contiguous_format
        self.adam = torch.optim.Adam(model.parameters(), lr=1e-4)

        def loss(views):
            return hinge(model(views), **margins)

        self.loss = torch.compile(loss) if mode == "compile" else loss

    def step(self, views):
        self.adam.zero_grad()
        value = self.loss(views)
        value.backward()
        self.adam.step()
        return value.item()


class Steps:
    """Answers requests; keeps the learners of the last network."""

    def __init__(self):
        self.key, self.learners, self.views = None, {}, None

    def answer(self, network, images, threads, mode, steps, margins, device="cpu", augment=False):
        torch.set_num_threads(threads)
        key = (network, images, threads, device, augment)
        if self.key != key:
            self.key, self.learners = key, {}
            self.views = self.maker(network, images, device, augment)
        new = mode not in self.learners
        if new:
            self.learners[mode] = Learner(network, mode, margins, device)
        learner = self.learners[mode]
        for _ in range(WARM_UP if new else 0):
            learner.step(self.views(learner.format))
        seconds = []
        for _ in range(steps):
            start = time.perf_counter()
            # Reading the loss waits for all that is queued on a GPU.
            learner.step(self.views(learner.format))
            seconds.append(round(time.perf_counter() - start, 5))
        return {"seconds": seconds}

    @staticmethod
    def maker(network, images, device, augment):
        channels, side, _ = PICTURES[network]
        if augment:
            shape = (images, channels, SIDES[network], SIDES[network])
            pictures = torch.randint(0, 256, shape, dtype=torch.uint8, device=device)
            view = VIEWS[network]
            return lambda memory: torch.cat([view(pictures, side), view(pictures, side)]).to(memory_format=memory)
        # Two noisy copies of each picture, so that gates of both kinds open.
        pictures = torch.rand(images, *PICTURES[network], device=device)
        views = torch.cat([pictures, 0.8 * pictures + 0.2 * torch.rand_like(pictures)])
        return lambda memory: views.to(memory_format=memory)


def serve(answer):
    """One line of JSON in, one line out; what goes wrong is an answer too."""
    for line in sys.stdin:
        try:
            result = answer(**json.loads(line))
        except Exception as error:  # torch.compile fails in many ways, for instance without a C++ compiler
            result = {"error": f"{type(error).__name__}: {str(error).strip().splitlines()[0]}"}
        print(json.dumps(result), flush=True)


def main():
    parser = argparse.ArgumentParser(description="Times training steps in PyTorch.")
    parser.add_argument("--serve", action="store_true")
    parser.add_argument("--network", choices=list(PICTURES), default="cifar")
    parser.add_argument("--images", type=int, default=500)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--mode", choices=MODES, default="eager")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--augment", action="store_true")
    options = parser.parse_args()
    if options.serve:
        serve(Steps().answer)
        return
    request = {key: value for key, value in vars(options).items() if key != "serve"}
    margins = {"m1": 1, "m2": 1.5 if options.network == "mnist" else 3}
    answer = Steps().answer(**request, margins=margins)
    print(json.dumps({"torch": torch.__version__, **request, **answer, "median": statistics.median(answer["seconds"])}))


if __name__ == "__main__":
    main()
