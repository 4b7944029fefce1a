"""Models: raw inputs -> preparation -> encoder -> head -> logits and scores."""

from manyhot.models.augment import Augmentation as Augmentation
from manyhot.models.bag import is_bag as is_bag
from manyhot.models.best_scores import KEPT as KEPT
from manyhot.models.best_scores import BestScores as BestScores
from manyhot.models.best_scores import best_of as best_of
from manyhot.models.best_scores import stacked as stacked
from manyhot.models.encoders import ENCODERS as ENCODERS
from manyhot.models.encoders import MLP as MLP
from manyhot.models.encoders import Linear as Linear
from manyhot.models.encoders import SmallerVGG as SmallerVGG
from manyhot.models.head import WIDE as WIDE
from manyhot.models.head import Head as Head
from manyhot.models.head import prior_logits as prior_logits
from manyhot.models.layers import ColumnEmbedding as ColumnEmbedding
from manyhot.models.layers import SparseLinear as SparseLinear
from manyhot.models.model import Model as Model
from manyhot.models.preparation import Preparation as Preparation
from manyhot.models.prepared import Batch as Batch
from manyhot.models.prepared import DenseRows as DenseRows
from manyhot.models.prepared import InputShape as InputShape
from manyhot.models.prepared import Prepared as Prepared
from manyhot.models.prepared import SparseBatch as SparseBatch
from manyhot.models.prepared import SparseRows as SparseRows
