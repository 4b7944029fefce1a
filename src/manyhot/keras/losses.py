"""Every loss that Keras can train with, under its name in `manyhot.losses`.

Formulas (pointwise ones, and row-wise ones over shared row sums) run on every backend of Keras, the others on
its torch backend. Losses that learn parameters or remember batches are not here: train those in torch.
"""

import keras

from manyhot import losses as torch_losses
from manyhot.keras.base import KerasLoss

__all__ = [
    "BCE",
    "BPMLL",
    "GCE",
    "LDAM",
    "LSEP",
    "MAE",
    "MSE",
    "SPLC",
    "WARP",
    "ZLPR",
    "AbsKL",
    "AdaptiveThreshold",
    "ApproxNDCG",
    "AssumeNegative",
    "Asymmetric",
    "AsymmetricPolynomial",
    "Brier",
    "ClassAwareSelective",
    "ClassBalanced",
    "CountDistribution",
    "DecoupledSoftmax",
    "DistributionBalanced",
    "EntropyMaximization",
    "ExpectedPositives",
    "Focal",
    "GeneralizedKL",
    "GeneralizedRobust",
    "Hill",
    "LabelDistributionKL",
    "LargeLoss",
    "LogitAdjusted",
    "LovaszHinge",
    "MultiLabelMargin",
    "MultiLabelSoftMargin",
    "NonNegativePU",
    "PairwiseAUC",
    "PairwiseHinge",
    "PartialBCE",
    "PickAllLabels",
    "Poly1",
    "PropensityScored",
    "RankNet",
    "RobustAsymmetric",
    "SigmoidF1",
    "SmoothAP",
    "SoftF1",
    "SoftJaccard",
    "SoftTopK",
    "SoftmaxMultiHot",
    "SparsemaxLoss",
    "SquaredHinge",
    "TwoWay",
    "Unbiased",
    "WeakAssumeNegative",
]


@keras.saving.register_keras_serializable(package="manyhot")
class BCE(KerasLoss):
    """`manyhot.losses.BCE` for Keras."""

    kind = torch_losses.BCE


@keras.saving.register_keras_serializable(package="manyhot")
class Poly1(KerasLoss):
    """`manyhot.losses.Poly1` for Keras."""

    kind = torch_losses.Poly1


@keras.saving.register_keras_serializable(package="manyhot")
class GCE(KerasLoss):
    """`manyhot.losses.GCE` for Keras."""

    kind = torch_losses.GCE


@keras.saving.register_keras_serializable(package="manyhot")
class Focal(KerasLoss):
    """`manyhot.losses.Focal` for Keras."""

    kind = torch_losses.Focal


@keras.saving.register_keras_serializable(package="manyhot")
class Asymmetric(KerasLoss):
    """`manyhot.losses.Asymmetric` for Keras."""

    kind = torch_losses.Asymmetric


@keras.saving.register_keras_serializable(package="manyhot")
class AsymmetricPolynomial(KerasLoss):
    """`manyhot.losses.AsymmetricPolynomial` for Keras."""

    kind = torch_losses.AsymmetricPolynomial


@keras.saving.register_keras_serializable(package="manyhot")
class RobustAsymmetric(KerasLoss):
    """`manyhot.losses.RobustAsymmetric` for Keras."""

    kind = torch_losses.RobustAsymmetric


@keras.saving.register_keras_serializable(package="manyhot")
class Hill(KerasLoss):
    """`manyhot.losses.Hill` for Keras."""

    kind = torch_losses.Hill


@keras.saving.register_keras_serializable(package="manyhot")
class LogitAdjusted(KerasLoss):
    """`manyhot.losses.LogitAdjusted` for Keras."""

    kind = torch_losses.LogitAdjusted


@keras.saving.register_keras_serializable(package="manyhot")
class LDAM(KerasLoss):
    """`manyhot.losses.LDAM` for Keras."""

    kind = torch_losses.LDAM


@keras.saving.register_keras_serializable(package="manyhot")
class ClassBalanced(KerasLoss):
    """`manyhot.losses.ClassBalanced` for Keras."""

    kind = torch_losses.ClassBalanced


@keras.saving.register_keras_serializable(package="manyhot")
class DistributionBalanced(KerasLoss):
    """`manyhot.losses.DistributionBalanced` for Keras."""

    kind = torch_losses.DistributionBalanced


@keras.saving.register_keras_serializable(package="manyhot")
class PropensityScored(KerasLoss):
    """`manyhot.losses.PropensityScored` for Keras."""

    kind = torch_losses.PropensityScored


@keras.saving.register_keras_serializable(package="manyhot")
class Unbiased(KerasLoss):
    """`manyhot.losses.Unbiased` for Keras."""

    kind = torch_losses.Unbiased


@keras.saving.register_keras_serializable(package="manyhot")
class SquaredHinge(KerasLoss):
    """`manyhot.losses.SquaredHinge` for Keras."""

    kind = torch_losses.SquaredHinge


@keras.saving.register_keras_serializable(package="manyhot")
class Brier(KerasLoss):
    """`manyhot.losses.Brier` for Keras."""

    kind = torch_losses.Brier


@keras.saving.register_keras_serializable(package="manyhot")
class MSE(KerasLoss):
    """`manyhot.losses.MSE` for Keras."""

    kind = torch_losses.MSE


@keras.saving.register_keras_serializable(package="manyhot")
class MAE(KerasLoss):
    """`manyhot.losses.MAE` for Keras."""

    kind = torch_losses.MAE


@keras.saving.register_keras_serializable(package="manyhot")
class ZLPR(KerasLoss):
    """`manyhot.losses.ZLPR` for Keras."""

    kind = torch_losses.ZLPR


@keras.saving.register_keras_serializable(package="manyhot")
class LSEP(KerasLoss):
    """`manyhot.losses.LSEP` for Keras."""

    kind = torch_losses.LSEP


@keras.saving.register_keras_serializable(package="manyhot")
class TwoWay(KerasLoss):
    """`manyhot.losses.TwoWay` for Keras."""

    kind = torch_losses.TwoWay


@keras.saving.register_keras_serializable(package="manyhot")
class SoftmaxMultiHot(KerasLoss):
    """`manyhot.losses.SoftmaxMultiHot` for Keras."""

    kind = torch_losses.SoftmaxMultiHot


@keras.saving.register_keras_serializable(package="manyhot")
class PickAllLabels(KerasLoss):
    """`manyhot.losses.PickAllLabels` for Keras."""

    kind = torch_losses.PickAllLabels


@keras.saving.register_keras_serializable(package="manyhot")
class LabelDistributionKL(KerasLoss):
    """`manyhot.losses.LabelDistributionKL` for Keras."""

    kind = torch_losses.LabelDistributionKL


@keras.saving.register_keras_serializable(package="manyhot")
class DecoupledSoftmax(KerasLoss):
    """`manyhot.losses.DecoupledSoftmax` for Keras."""

    kind = torch_losses.DecoupledSoftmax


@keras.saving.register_keras_serializable(package="manyhot")
class SparsemaxLoss(KerasLoss):
    """`manyhot.losses.SparsemaxLoss` for Keras."""

    kind = torch_losses.SparsemaxLoss


@keras.saving.register_keras_serializable(package="manyhot")
class AdaptiveThreshold(KerasLoss):
    """`manyhot.losses.AdaptiveThreshold` for Keras."""

    kind = torch_losses.AdaptiveThreshold


@keras.saving.register_keras_serializable(package="manyhot")
class MultiLabelMargin(KerasLoss):
    """`manyhot.losses.MultiLabelMargin` for Keras."""

    kind = torch_losses.MultiLabelMargin


@keras.saving.register_keras_serializable(package="manyhot")
class MultiLabelSoftMargin(KerasLoss):
    """`manyhot.losses.MultiLabelSoftMargin` for Keras."""

    kind = torch_losses.MultiLabelSoftMargin


@keras.saving.register_keras_serializable(package="manyhot")
class PairwiseHinge(KerasLoss):
    """`manyhot.losses.PairwiseHinge` for Keras."""

    kind = torch_losses.PairwiseHinge


@keras.saving.register_keras_serializable(package="manyhot")
class RankNet(KerasLoss):
    """`manyhot.losses.RankNet` for Keras."""

    kind = torch_losses.RankNet


@keras.saving.register_keras_serializable(package="manyhot")
class WARP(KerasLoss):
    """`manyhot.losses.WARP` for Keras."""

    kind = torch_losses.WARP


@keras.saving.register_keras_serializable(package="manyhot")
class BPMLL(KerasLoss):
    """`manyhot.losses.BPMLL` for Keras."""

    kind = torch_losses.BPMLL


@keras.saving.register_keras_serializable(package="manyhot")
class CountDistribution(KerasLoss):
    """`manyhot.losses.CountDistribution` for Keras."""

    kind = torch_losses.CountDistribution


@keras.saving.register_keras_serializable(package="manyhot")
class GeneralizedKL(KerasLoss):
    """`manyhot.losses.GeneralizedKL` for Keras."""

    kind = torch_losses.GeneralizedKL


@keras.saving.register_keras_serializable(package="manyhot")
class AbsKL(KerasLoss):
    """`manyhot.losses.AbsKL` for Keras."""

    kind = torch_losses.AbsKL


@keras.saving.register_keras_serializable(package="manyhot")
class SoftF1(KerasLoss):
    """`manyhot.losses.SoftF1` for Keras."""

    kind = torch_losses.SoftF1


@keras.saving.register_keras_serializable(package="manyhot")
class SigmoidF1(KerasLoss):
    """`manyhot.losses.SigmoidF1` for Keras."""

    kind = torch_losses.SigmoidF1


@keras.saving.register_keras_serializable(package="manyhot")
class SoftJaccard(KerasLoss):
    """`manyhot.losses.SoftJaccard` for Keras."""

    kind = torch_losses.SoftJaccard


@keras.saving.register_keras_serializable(package="manyhot")
class LovaszHinge(KerasLoss):
    """`manyhot.losses.LovaszHinge` for Keras."""

    kind = torch_losses.LovaszHinge


@keras.saving.register_keras_serializable(package="manyhot")
class ApproxNDCG(KerasLoss):
    """`manyhot.losses.ApproxNDCG` for Keras."""

    kind = torch_losses.ApproxNDCG


@keras.saving.register_keras_serializable(package="manyhot")
class SmoothAP(KerasLoss):
    """`manyhot.losses.SmoothAP` for Keras."""

    kind = torch_losses.SmoothAP


@keras.saving.register_keras_serializable(package="manyhot")
class PairwiseAUC(KerasLoss):
    """`manyhot.losses.PairwiseAUC` for Keras."""

    kind = torch_losses.PairwiseAUC


@keras.saving.register_keras_serializable(package="manyhot")
class PartialBCE(KerasLoss):
    """`manyhot.losses.PartialBCE` for Keras."""

    kind = torch_losses.PartialBCE


@keras.saving.register_keras_serializable(package="manyhot")
class ClassAwareSelective(KerasLoss):
    """`manyhot.losses.ClassAwareSelective` for Keras."""

    kind = torch_losses.ClassAwareSelective


@keras.saving.register_keras_serializable(package="manyhot")
class EntropyMaximization(KerasLoss):
    """`manyhot.losses.EntropyMaximization` for Keras."""

    kind = torch_losses.EntropyMaximization


@keras.saving.register_keras_serializable(package="manyhot")
class ExpectedPositives(KerasLoss):
    """`manyhot.losses.ExpectedPositives` for Keras."""

    kind = torch_losses.ExpectedPositives


@keras.saving.register_keras_serializable(package="manyhot")
class SPLC(KerasLoss):
    """`manyhot.losses.SPLC` for Keras."""

    kind = torch_losses.SPLC


@keras.saving.register_keras_serializable(package="manyhot")
class LargeLoss(KerasLoss):
    """`manyhot.losses.LargeLoss` for Keras."""

    kind = torch_losses.LargeLoss


@keras.saving.register_keras_serializable(package="manyhot")
class GeneralizedRobust(KerasLoss):
    """`manyhot.losses.GeneralizedRobust` for Keras."""

    kind = torch_losses.GeneralizedRobust


@keras.saving.register_keras_serializable(package="manyhot")
class AssumeNegative(KerasLoss):
    """`manyhot.losses.AssumeNegative` for Keras."""

    kind = torch_losses.AssumeNegative


@keras.saving.register_keras_serializable(package="manyhot")
class WeakAssumeNegative(KerasLoss):
    """`manyhot.losses.WeakAssumeNegative` for Keras."""

    kind = torch_losses.WeakAssumeNegative


@keras.saving.register_keras_serializable(package="manyhot")
class NonNegativePU(KerasLoss):
    """`manyhot.losses.NonNegativePU` for Keras."""

    kind = torch_losses.NonNegativePU


@keras.saving.register_keras_serializable(package="manyhot")
class SoftTopK(KerasLoss):
    """`manyhot.losses.SoftTopK` for Keras."""

    kind = torch_losses.SoftTopK
