"""Times epochs of PyTorch that is fed the way the authors' code feeds it, for `npm run bench`: PIL pictures, augmentation
A by torchvision's transforms, twice for each picture, in a DataLoader with worker processes, and an eager step.

    python3 tools/peers/torch_feed.py --images 500 --batches 5 --workers 2 --threads 2

prints one line of JSON with the wall-clock seconds of one epoch, the start of the workers included. With --serve, each
line of JSON on the standard input is such a request and is answered by one line. The network is warmed up first.
"""

import argparse
import json
import time

import torch
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms
from torchvision.transforms.functional import to_pil_image

from torch_step import PICTURES, WARM_UP, Learner, serve


def augmentation(size):
    """Augmentation A, the SimCLR pipeline."""
    return transforms.Compose(
        [
            transforms.RandomResizedCrop(size, scale=(0.08, 1.0), ratio=(3 / 4, 4 / 3)),
            transforms.RandomHorizontalFlip(),
            transforms.RandomApply([transforms.ColorJitter(0.8, 0.8, 0.8, 0.2)], p=0.8),
            transforms.RandomGrayscale(p=0.2),
            transforms.ToTensor(),
        ]
    )


class Pairs(Dataset):
    """Two views of each picture; `length` goes round and round a few random pictures."""

    def __init__(self, network, pictures, length):
        generator = torch.Generator().manual_seed(0)
        shape = PICTURES[network]
        bytes_ = torch.randint(0, 256, (pictures, *shape), generator=generator, dtype=torch.uint8)
        self.pictures = [to_pil_image(picture) for picture in bytes_]
        self.length = length
        self.augment = augmentation(shape[1])

    def __len__(self):
        return self.length

    def __getitem__(self, i):
        picture = self.pictures[i % len(self.pictures)]
        return self.augment(picture), self.augment(picture)


class Epochs:
    """Answers requests; the learner stays."""

    def __init__(self):
        self.learner = None

    def answer(self, network, images, batches, workers, threads, margins, device="cpu"):
        torch.set_num_threads(threads)
        if self.learner is None:
            self.learner = Learner(network, "eager", margins, device)
            for _ in range(WARM_UP):
                self.learner.step(torch.rand(2 * images, *PICTURES[network], device=device))
        pairs = Pairs(network, min(images, 500), images * batches)
        pin = device == "cuda"
        loader = DataLoader(
            pairs, batch_size=images, shuffle=True, num_workers=workers, drop_last=True, pin_memory=pin
        )
        start = time.perf_counter()
        for a, b in loader:
            self.learner.step(torch.cat([a, b]).to(device, non_blocking=True))
        return {"seconds": [round(time.perf_counter() - start, 5)]}


def main():
    parser = argparse.ArgumentParser(description="Times epochs of PyTorch behind a DataLoader.")
    parser.add_argument("--serve", action="store_true")
    parser.add_argument("--network", choices=["cifar", "vgg6"], default="cifar")
    parser.add_argument("--images", type=int, default=500)
    parser.add_argument("--batches", type=int, default=5)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    if options.serve:
        serve(Epochs().answer)
        return
    request = {key: value for key, value in vars(options).items() if key != "serve"}
    answer = Epochs().answer(**request, margins={"m1": 1, "m2": 3})
    rate = options.images * options.batches / answer["seconds"][0]
    print(json.dumps({"torch": torch.__version__, **request, **answer, "imagesPerSecond": round(rate, 1)}))


if __name__ == "__main__":
    main()
