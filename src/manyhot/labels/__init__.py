"""The one description of the labels (`LabelSpace`) and the one container for their values (`Targets`)."""

from manyhot.labels.dispatch import as_targets
from manyhot.labels.files import read_unknown_code
from manyhot.labels.links import Constraint
from manyhot.labels.provenance import Provenance
from manyhot.labels.score_matrix import ScoreMatrix, score_matrix
from manyhot.labels.space import Group, LabelSpace
from manyhot.labels.targets import Targets
from manyhot.labels.tuned_rows import RowMarks, TunedRows

__all__ = [
    "Constraint",
    "Group",
    "LabelSpace",
    "Provenance",
    "RowMarks",
    "ScoreMatrix",
    "Targets",
    "TunedRows",
    "as_targets",
    "read_unknown_code",
    "score_matrix",
]
