"""Turns weights that PyTorch or NumPy saved into safetensors, for `saccade import`: python3 to-safetensors.py model.pt model.safetensors

Every tensor is taken, under the names of all that it lies in: of a Lightning checkpoint `state_dict.encoder.conv1.weight`, which
`saccade import --prefix state_dict.encoder.` reads. Whole models are taken apart without their classes. Nothing in the file is run: what
a pickle asks for is made only where it is a tensor, and stands as an empty shell otherwise. Numbers with a point become float32.
"""

import collections
import os
import pickle
import sys
import types
import zipfile

# All that a pickle may name, beside storages: torch's way of putting tensors together, and dictionaries in their order.
SAFE = {
    ("collections", "OrderedDict"): lambda: collections.OrderedDict,
    ("torch._utils", "_rebuild_tensor"): lambda: __import__("torch")._utils._rebuild_tensor,
    ("torch._utils", "_rebuild_tensor_v2"): lambda: __import__("torch")._utils._rebuild_tensor_v2,
    ("torch._utils", "_rebuild_parameter"): lambda: __import__("torch")._utils._rebuild_parameter,
    ("torch", "Size"): lambda: __import__("torch").Size,
    ("torch.serialization", "_get_layout"): lambda: __import__("torch").serialization._get_layout,
}


class Shell(dict):
    """What stands for anything else: it takes every state and does nothing."""

    # Whole models in the format before PyTorch 1.6 are asked for it.
    dump_patches = False

    def __new__(cls, *args, **kwargs):
        return dict.__new__(cls)

    def __init__(self, *args, **kwargs):
        dict.__init__(self)

    def __call__(self, *args, **kwargs):
        return Shell()

    def __setstate__(self, state):
        for part in state if isinstance(state, tuple) else (state,):
            if isinstance(part, dict):
                self.__dict__.update(part)

    def __hash__(self):
        return id(self)

    def append(self, value):
        pass

    extend = add = append


class Unpickler(pickle.Unpickler):
    def find_class(self, module, name):
        import torch

        if (module, name) in SAFE:
            return SAFE[(module, name)]()
        if module in ("torch", "torch.storage") and name.endswith("Storage"):
            return getattr(torch, name, None) or getattr(torch.storage, name)
        if module == "torch" and isinstance(getattr(torch, name, None), torch.dtype):
            return getattr(torch, name)
        return Shell


def load(path):
    members = zipfile.ZipFile(path).namelist() if zipfile.is_zipfile(path) else []
    if any(name.endswith(".npy") for name in members):
        import numpy

        return dict(numpy.load(path, allow_pickle=False))
    import torch

    if any("/code/" in name for name in members):
        return torch.jit.load(path, map_location="cpu").state_dict()
    reader = types.SimpleNamespace(
        __name__="reader",
        Unpickler=Unpickler,
        load=lambda file, **options: Unpickler(file, **options).load(),
        UnpicklingError=pickle.UnpicklingError,
    )
    # An open file: of a name that ends in .safetensors torch would believe that.
    with open(path, "rb") as file:
        return torch.load(file, map_location="cpu", pickle_module=reader, weights_only=False)


def collect(prefix, value, found, within=()):
    """Tensors and arrays at any depth, by their path."""
    if id(value) in within:
        return
    within = (*within, id(value))
    if hasattr(value, "dtype") and hasattr(value, "shape"):
        found[prefix] = value
    elif hasattr(value, "_modules") and hasattr(value, "_parameters"):
        for part in (value._parameters, value._buffers, value._modules):
            collect(prefix, part, found, within)
    elif isinstance(value, dict):
        for key, inner in value.items():
            collect(f"{prefix}.{key}" if prefix else str(key), inner, found, within)
    elif isinstance(value, (list, tuple)):
        for key, inner in enumerate(value):
            collect(f"{prefix}.{key}" if prefix else str(key), inner, found, within)


def plain(value):
    """A copy of its own, on the CPU; float32 where it has a point. None where safetensors has no such type."""
    import numpy

    if isinstance(value, numpy.ndarray):
        if value.dtype.kind == "f":
            return numpy.array(value, dtype=numpy.float32, order="C")
        return numpy.array(value, order="C") if value.dtype.kind in "iub" else None
    value = value.detach().cpu()
    if value.is_quantized or value.is_sparse or value.is_complex():
        return None
    return (value.float() if value.is_floating_point() else value).contiguous().clone()


def main(source, target):
    if os.path.exists(target):
        sys.exit(f"{target}: is there already; name another file")
    found = {}
    collect("", load(source), found)
    taken = {name: tensor for name, tensor in ((name, plain(value)) for name, value in found.items()) if tensor is not None}
    if not taken:
        sys.exit(f"{source}: holds no tensors")
    if all(type(value).__module__ == "numpy" for value in taken.values()):
        from safetensors.numpy import save_file
    else:
        from safetensors.torch import save_file
    save_file(taken, target)
    print(f"wrote {target}: {len(taken)} tensors")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
