"""A network that Saccade exported, in PyTorch: python network.py weights.safetensors (needs torch and safetensors)."""

import json
import sys
from collections import OrderedDict

import torch
from safetensors import safe_open
from torch import nn


class Triangle(nn.Module):
    """What a unit has above the mean of its place."""

    def forward(self, x):
        return torch.relu(x - x.mean(dim=1, keepdim=True))


class Head(nn.Linear):
    """Linear, after hidden layers with ReLUs: head.hidden1.weight, …, head.weight."""

    def __init__(self, inputs, outputs, bias, hidden):
        widths = [inputs, *hidden]
        super().__init__(widths[-1], outputs, bias)
        for i in range(len(hidden)):
            self.add_module(f"hidden{i + 1}", nn.Linear(widths[i], widths[i + 1], bias))

    def forward(self, x):
        for hidden in self.children():
            x = torch.relu(hidden(x))
        return super().forward(x)


ACTIVATIONS = {"hardtanh": nn.Hardtanh, "tanh": nn.Tanh, "relu": nn.ReLU, "triangle": Triangle}


def after(step):
    if step == "maxPool":
        return nn.MaxPool2d(2)
    if isinstance(step, str):
        return ACTIVATIONS[step]()
    return {"max": nn.MaxPool2d, "average": nn.AvgPool2d}[step["pool"]](step["size"])


def load(path):
    """The network as the file itself describes it, with its weights: its parts are conv1, conv1-0, …, features, and head where there is one."""
    with safe_open(path, "pt") as file:
        about = json.loads(file.metadata()["encoder"])
        weights = {name: file.get_tensor(name) for name in file.keys()}
    parts, channels = OrderedDict(), about["input"]["channels"]
    for number, block in enumerate(about["blocks"], 1):
        parts[f"conv{number}"] = nn.Conv2d(
            channels, block["outputs"], block["kernel"], block["stride"], block["padding"], bias=block["bias"]
        )
        channels = block["outputs"]
        for i, step in enumerate(block["after"]):
            parts[f"conv{number}-{i}"] = after(step)
    head = about["head"]
    parts["pool"] = nn.AvgPool2d(head["averagePool"])
    parts["features"] = nn.Flatten()
    if "head.weight" in weights:
        outputs, above = weights["head.weight"].shape
        inputs = weights["head.hidden1.weight"].shape[1] if head["hidden"] else above
        parts["head"] = Head(inputs, outputs, "head.bias" in weights, head["hidden"])
    network = nn.Sequential(parts)
    network.load_state_dict(weights)
    return network.eval()


if __name__ == "__main__":
    print(load(sys.argv[1]))
