"""Keras 3 losses from the same formulas (extra `keras`): `from manyhot.keras import losses`.

    model = keras.Sequential([..., keras.layers.Dense(labels)])   # no activation: these losses take logits
    model.compile("adam", loss=manyhot.keras.losses.Asymmetric(gamma_neg=2))
    scores = keras.ops.sigmoid(model.predict(inputs))

Nothing else of manyhot imports keras.
"""

from manyhot.errors import MissingExtraError

try:
    import keras as _  # noqa: F401
except ImportError as error:
    raise MissingExtraError("keras", "keras", "manyhot.keras") from error

from manyhot.keras import losses

__all__ = ["losses"]
