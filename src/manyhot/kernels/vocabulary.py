"""The names of the words a loss formula may be written in; every engine gives each a meaning."""

WORDS = (
    "exp",
    "expm1",
    "log",
    "log1p",
    "where",
    "maximum",
    "minimum",
    "absolute",
    "power",
    "sigmoid",
    "sigmoid_power",
    "softplus",
    "tanh",
)
