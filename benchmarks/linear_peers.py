"""The peers of `linear.py`: each is trained with its own defaults on one thread, and gives a score a cell.

LibMultiLabel alone is told which solver to take. A contestant is made of the training data and gives back how
to score rows; what it decides by default is `scores >= cut`. A peer that is not installed is told with its
reason.
"""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, csr_matrix

TOP = 50  # labels that tree methods are asked for

# Newton's method with a bias: the default, coordinate descent, does not converge on dense features (yeast).
LIBLINEAR = "-s 2 -B 1"

Scorer = Callable[[Any], NDArray[Any]]


@dataclass(frozen=True)
class Peer:
    """A contestant.

    Attributes:
        name: in the table.
        package: distribution whose version is written down.
        module: what must be importable.
        train: (features, labels) -> scorer of further rows.
        cut: a label is assigned from this score on.
    """

    name: str
    package: str
    module: str
    train: Callable[[Any, csr_array], Scorer]
    cut: float


def linear_svc(features: Any, labels: csr_array) -> Scorer:
    from sklearn.multiclass import OneVsRestClassifier
    from sklearn.svm import LinearSVC

    model = OneVsRestClassifier(LinearSVC()).fit(features, csr_matrix(labels))
    return model.decision_function


def libmultilabel_one_vs_rest(features: Any, labels: csr_array) -> Scorer:
    from libmultilabel import linear

    model = linear.train_1vsrest(csr_matrix(labels), csr_matrix(features), options=LIBLINEAR, verbose=False)
    return lambda rows: np.asarray(linear.predict_values(model, csr_matrix(rows)))


def libmultilabel_thresholding(features: Any, labels: csr_array) -> Scorer:
    from libmultilabel import linear

    model = linear.train_thresholding(
        csr_matrix(labels), csr_matrix(features), options=LIBLINEAR, verbose=False
    )
    return lambda rows: np.asarray(linear.predict_values(model, csr_matrix(rows)))


def napkinxc_one_vs_rest(features: Any, labels: csr_array) -> Scorer:
    from napkinxc.models import BR

    folder = tempfile.TemporaryDirectory()  # it goes with the last reference, which the scorer keeps
    model = BR(folder.name, threads=1)
    model.fit(csr_matrix(features), [row.tolist() for row in np.split(labels.indices, labels.indptr[1:-1])])

    def scores(rows: Any) -> NDArray[Any]:
        assert Path(folder.name).exists()
        return _filled(model.predict_proba(csr_matrix(rows), top_k=0), labels.shape[1])

    return scores


def omikuji_parabel(features: Any, labels: csr_array) -> Scorer:
    import omikuji

    matrix = csr_array(features)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "train.txt"
        _write(path, matrix, labels)
        model = omikuji.Model.train_on_data(str(path), n_threads=1)
    model.init_prediction_thread_pool(1)

    def scores(rows: Any) -> NDArray[Any]:
        rows = csr_array(rows)
        pairs = [
            list(zip(rows.indices[a:b].tolist(), rows.data[a:b].tolist(), strict=True))
            for a, b in zip(rows.indptr[:-1], rows.indptr[1:], strict=True)
        ]
        return _filled(
            [model.predict(each, top_k=min(TOP, labels.shape[1])) for each in pairs], labels.shape[1]
        )

    return scores


def pecos_xr_linear(features: Any, labels: csr_array) -> Scorer:
    from pecos.xmc import Indexer, LabelEmbeddingFactory
    from pecos.xmc.xlinear.model import XLinearModel

    rows, truth = csr_matrix(features, dtype=np.float32), csr_matrix(labels, dtype=np.float32)
    chain = Indexer.gen(LabelEmbeddingFactory.create(truth, rows), threads=1)
    model = XLinearModel.train(rows, truth, C=chain, threads=1)

    def scores(rows: Any) -> NDArray[Any]:
        found = model.predict(csr_matrix(rows, dtype=np.float32), only_topk=TOP, threads=1)
        return found.toarray()

    return scores


PEERS = (
    Peer("scikit-learn OneVsRest(LinearSVC)", "scikit-learn", "sklearn", linear_svc, 0.0),
    Peer("LibMultiLabel 1vsrest", "libmultilabel", "libmultilabel", libmultilabel_one_vs_rest, 0.0),
    Peer("LibMultiLabel thresholding", "libmultilabel", "libmultilabel", libmultilabel_thresholding, 0.0),
    Peer("napkinXC BR", "napkinxc", "napkinxc", napkinxc_one_vs_rest, 0.5),
    Peer("omikuji Parabel", "omikuji", "omikuji", omikuji_parabel, 0.5),
    Peer("PECOS XR-Linear", "libpecos", "pecos", pecos_xr_linear, 0.5),
)


def _filled(found: list[list[tuple[int, float]]], width: int) -> NDArray[np.float32]:
    scores = np.zeros((len(found), width), np.float32)
    for row, pairs in enumerate(found):
        for label, chance in pairs:
            scores[row, label] = chance
    return scores


def _write(path: Path, features: csr_array, labels: csr_array) -> None:
    """The text format of the Extreme Classification Repository."""
    with path.open("w") as file:
        file.write(f"{features.shape[0]} {features.shape[1]} {labels.shape[1]}\n")
        for row in range(features.shape[0]):
            own = labels.indices[labels.indptr[row] : labels.indptr[row + 1]]
            begin, end = features.indptr[row], features.indptr[row + 1]
            cells = zip(features.indices[begin:end], features.data[begin:end], strict=True)
            file.write(",".join(map(str, own)) + " " + " ".join(f"{j}:{v:.6g}" for j, v in cells) + "\n")
