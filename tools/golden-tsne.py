"""Writes tests/goldens/tsne: what scikit-learn says of a picture by t-SNE and of numbers beside it.

    python tools/golden-tsne.py

Needs what golden.py does, scikit-learn with it. Rows are 250 of 16 numbers in five overlapping classes; all but the rows is float64.
"""

import numpy as np
import sklearn
from golden import Golden, check_threefry
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE, trustworthiness
from sklearn.metrics import calinski_harabasz_score, silhouette_score
from sklearn.neighbors import NearestNeighbors

COUNT, WIDTH, CLASSES = 250, 16, 5


def neighbours(rows, k):
    return NearestNeighbors(n_neighbors=k).fit(rows).kneighbors(return_distance=False)


def separation(rows, labels, k):
    return {
        "purity": float((labels[neighbours(rows, k)] == labels[:, None]).mean()),
        # Calinski and Harabasz divide both sums by their degrees of freedom.
        "betweenWithin": float(calinski_harabasz_score(rows, labels) * (CLASSES - 1) / (COUNT - CLASSES)),
        "silhouette": float(silhouette_score(rows, labels)),
    }


def preserved(rows, picture, k):
    pairs = zip(neighbours(rows, k), neighbours(picture, k))
    return sum(len(set(a) & set(b)) for a, b in pairs) / (COUNT * k)


def main():
    check_threefry()
    golden = Golden("tsne", "Row i is noise[i] + centres[i mod 5], of class i mod 5; plane is their first two principal components.")
    noise = golden.weights("noise", [COUNT, WIDTH], 7, 1, 1)
    centres = golden.weights("centres", [CLASSES, WIDTH], 7, 2, 0.6)
    labels = np.arange(COUNT) % CLASSES
    rows = (noise + centres[labels]).astype("f8")
    plane = PCA(2, svd_solver="full").fit_transform(rows).astype("f4")
    golden.tensor("plane", plane)
    picture = plane.astype("f8")

    divergences = []
    for perplexity in [5, 30]:
        model = TSNE(init="pca", perplexity=perplexity, random_state=0).fit(rows)
        divergences.append({"perplexity": perplexity, "divergence": float(model.kl_divergence_)})
    numbers = [
        {
            "k": k,
            "trustworthiness": float(trustworthiness(rows, picture, n_neighbors=k)),
            "preserved": preserved(rows, picture, k),
            "representation": separation(rows, labels, k),
            "picture": separation(picture, labels, k),
        }
        for k in [1, 10]
    ]
    golden.facts = {
        "regenerate": "python tools/golden-tsne.py",
        "sklearn": sklearn.__version__,
        "divergences": divergences,
        "numbers": numbers,
    }
    golden.write()


if __name__ == "__main__":
    main()
