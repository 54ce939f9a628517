"""Writes tests/goldens/neuro.json: what rsatoolbox, the package `dimensionality` and NumPy say of small codes, for tests/evaluation/neuro.test.ts.

    pip install rsatoolbox==0.3.2 dimensionality==0.1.4
    python tools/golden-neuro.py

Codes are rounded to four digits and stand in the file beside what is said of them.
"""

import json
from importlib.metadata import version
from pathlib import Path

import numpy as np
from dimensionality import participation_ratio
from rsatoolbox.data import Dataset
from rsatoolbox.rdm import RDMs, calc_rdm, compare

FILE = Path(__file__).resolve().parent.parent / "tests" / "goldens" / "neuro.json"


def dissimilarities(x):
    return calc_rdm(Dataset(x), method="correlation")


def effective_rank(x):
    s = np.linalg.svd(x, compute_uv=False)
    p = s / s.sum()
    return float(np.exp(-(p * np.log(p)).sum()))


random = np.random.default_rng(0)
labels = np.array([0, 0, 0, 1, 1, 2, 2, 2, 2, 1, 0, 1])
# A mean of its own for every unit, so that a centring that is forgotten shows.
few = np.round(random.normal(size=(12, 5)) @ np.diag([3, 2, 1, 1, 0.5]) + 2 * random.normal(size=5), 4)
many = np.round(few @ random.normal(size=(5, 20)) + random.normal(size=(12, 20)) + 1, 4)
classes = RDMs((labels[:, None] != labels[None, :])[np.triu_indices(12, 1)].astype(float)[None])

golden = {
    "about": "Codes of 12 stimuli, and what is said of them: 1 - Pearson for each pair, Spearman between those, participation ratios, effective ranks.",
    "versions": {name: version(name) for name in ("rsatoolbox", "dimensionality", "numpy")},
    "labels": labels.tolist(),
    "codes": {},
    "spearman": {
        "few, many": float(compare(dissimilarities(few), dissimilarities(many), method="spearman")[0, 0]),
        "few, classes": float(compare(dissimilarities(few), classes, method="spearman")[0, 0]),
    },
}
for name, x in {"few": few, "many": many}.items():
    golden["codes"][name] = {
        "rows": x.tolist(),
        "dissimilarities": np.round(dissimilarities(x).dissimilarities[0], 12).tolist(),
        "participationRatio": participation_ratio(x, return_all=True),
        "effectiveRank": effective_rank(x),
    }
FILE.write_text(json.dumps(golden) + "\n")
print(f"{FILE.name}: {FILE.stat().st_size} bytes")
