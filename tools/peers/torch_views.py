"""Random views of a batch of pictures in PyTorch, on whatever device they lie: for `npm run bench -- --device webgpu`.

Every picture has random numbers of its own, as in Saccade and unlike torchvision's transforms of a batch. Pictures are uint8
[n, c, h, w]; views are float [n, c, size, size] in [0, 1].
"""

import torch
import torch.nn.functional as F


def uniform(n, low, high, device):
    return low + (high - low) * torch.rand(n, device=device)


def warp(pictures, matrices, size):
    n, channels = pictures.shape[:2]
    grid = F.affine_grid(matrices, (n, channels, size, size), align_corners=False)
    return F.grid_sample(pictures.float() / 255, grid, padding_mode="border", align_corners=False)


def simclr(pictures, size):
    """Augmentation A: crop of 8 to 100 % of the area, flip; with 80 % brightness, contrast, saturation, hue; with 20 % grey."""
    n, device = len(pictures), pictures.device
    area = uniform(n, 0.08, 1, device)
    ratio = torch.exp(uniform(n, -0.2877, 0.2877, device))
    width, height = (area * ratio).sqrt().clamp(max=1), (area / ratio).sqrt().clamp(max=1)
    x, y = (1 - width) * uniform(n, -1, 1, device), (1 - height) * uniform(n, -1, 1, device)
    flip = 1 - 2 * (torch.rand(n, device=device) < 0.5).float()
    zeros = torch.zeros_like(x)
    matrices = torch.stack([torch.stack([flip * width, zeros, x], 1), torch.stack([zeros, height, y], 1)], 1)
    views = warp(pictures, matrices, size)
    jitter = (torch.rand(n, device=device) < 0.8).float()

    def factor(strength):
        return (1 + jitter * uniform(n, -strength, strength, device)).view(-1, 1, 1, 1)

    views = (views * factor(0.8)).clamp(0, 1)
    middle = grey(views).mean((2, 3), keepdim=True)
    views = (middle + (views - middle) * factor(0.8)).clamp(0, 1)
    plain = grey(views)
    views = (plain + (views - plain) * factor(0.8)).clamp(0, 1)
    views = hue(views, (jitter * uniform(n, -0.2, 0.2, device)).view(-1, 1, 1))
    drained = (torch.rand(n, device=device) < 0.2).view(-1, 1, 1, 1)
    return torch.where(drained, grey(views).expand_as(views), views)


def affine(pictures, size):
    """Augmentation B: an affine map drawn around the identity, for pictures of one channel."""
    n, device = len(pictures), pictures.device
    identity = torch.eye(2, 3, device=device).expand(n, 2, 3)
    return warp(pictures, identity + 0.5 * (2 * torch.rand(n, 2, 3, device=device) - 1), size)


def grey(pictures):
    return (pictures * pictures.new_tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)).sum(1, keepdim=True)


def hue(pictures, turn):
    """Turns the hue by a share of the circle, through HSV as torchvision does."""
    red, green, blue = pictures.unbind(1)
    high, low = pictures.amax(1), pictures.amin(1)
    spread = high - low
    safe = torch.where(spread == 0, torch.ones_like(spread), spread)
    r, g, b = (high - red) / safe, (high - green) / safe, (high - blue) / safe
    angle = torch.where(high == red, b - g, torch.where(high == green, 2 + r - b, 4 + g - r))
    angle = torch.where(spread == 0, torch.zeros_like(angle), angle)
    sixth = ((angle / 6 + turn) % 1) * 6
    share = spread / torch.where(high == 0, torch.ones_like(high), high)

    def channel(offset):
        k = (offset + sixth) % 6
        return high * (1 - share * torch.minimum(k, 4 - k).clamp(0, 1))

    return torch.stack([channel(5), channel(3), channel(1)], 1)


VIEWS = {"cifar": simclr, "vgg6": simclr, "mnist": affine}
