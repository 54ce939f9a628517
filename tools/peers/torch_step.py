"""Times one training step of the CIFAR network in PyTorch, for the benchmark: forward, contrastive hinge with all
negatives (m1 = 1, m2 = 3), backward, Adam; on 2·images views that already lie in memory. No biases.

    python3 tools/peers/torch_step.py --images 500 --threads 2 --steps 5 --mode eager|channels-last|compile

Prints one line of JSON; seconds are wall-clock time of each step after two steps of warm-up.
"""

import argparse
import json
import statistics
import time

import torch
import torch.nn.functional as F
from torch import nn

WARM_UP = 2


def network():
    def conv(inputs, outputs):
        return nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)

    return nn.Sequential(
        *(conv(3, 32), nn.Hardtanh()),
        *(conv(32, 32), nn.MaxPool2d(2)),
        *(conv(32, 64), nn.Hardtanh()),
        *(conv(64, 64), nn.MaxPool2d(2)),
        *(conv(64, 512), nn.MaxPool2d(2)),
        *(nn.Flatten(), nn.Linear(8192, 64, bias=False)),
    )


def hinge(embeddings):
    a, b = embeddings.chunk(2)
    distances = torch.cdist(a, b, p=1)
    negatives = F.relu(3 - distances)
    return F.relu(distances.diagonal() - 1).sum() + negatives.sum() - negatives.diagonal().sum()


def main():
    parser = argparse.ArgumentParser(description="Times the CIFAR training step in PyTorch.")
    parser.add_argument("--images", type=int, default=500)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--mode", choices=["eager", "channels-last", "compile"], default="eager")
    options = parser.parse_args()

    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    model = network()
    # Two noisy copies of each picture, so that gates of both kinds open.
    pictures = torch.rand(options.images, 3, 32, 32)
    views = torch.cat([pictures, 0.8 * pictures + 0.2 * torch.rand_like(pictures)])
    if options.mode == "channels-last":
        model = model.to(memory_format=torch.channels_last)
        views = views.to(memory_format=torch.channels_last)
    adam = torch.optim.Adam(model.parameters(), lr=1e-4)

    def loss_of(x):
        return hinge(model(x))

    loss = torch.compile(loss_of) if options.mode == "compile" else loss_of

    def step():
        adam.zero_grad()
        value = loss(views)
        value.backward()
        adam.step()
        return value.item()

    seconds = []
    for i in range(WARM_UP + options.steps):
        start = time.perf_counter()
        step()
        if i >= WARM_UP:
            seconds.append(round(time.perf_counter() - start, 4))
    print(
        json.dumps(
            {
                "torch": torch.__version__,
                "mode": options.mode,
                "threads": options.threads,
                "images": options.images,
                "seconds": seconds,
                "median": statistics.median(seconds),
            }
        )
    )


if __name__ == "__main__":
    main()
