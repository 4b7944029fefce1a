"""Every exception and warning that manyhot raises on purpose.

ManyhotError
├── InputError            data, file or tensor handed in cannot be used as it is (also a ValueError)
│   └── ShapeError        two arguments disagree about rows or labels
├── OptionError           a name or number outside its allowed set (also a ValueError)
│   └── UnknownNameError  a mapping has no such name (also a KeyError)
├── MissingExtraError     an optional dependency is not installed (also an ImportError)
├── TrainingError         a training came to numbers that are not finite before it had learned anything
└── RunError              a run folder is missing, broken or of another format

ManyhotWarning            (also a UserWarning)

A message says what came in, what was wanted, and the mend, with the label's or file's name:
lower case, no full stop.
"""


class ManyhotError(Exception):
    """Base of all errors below, so one `except` catches what manyhot rejects."""


class InputError(ManyhotError, ValueError):
    """The data handed in cannot be used as it is."""


class ShapeError(InputError):
    """Two arguments disagree about rows or labels."""


class OptionError(ManyhotError, ValueError):
    """An option is not one of its allowed values."""


class UnknownNameError(OptionError, KeyError):
    """A mapping has no such name."""

    __str__ = Exception.__str__  # that of KeyError puts quotes around the message


class MissingExtraError(ManyhotError, ImportError):
    """`pip install 'manyhot[extra]'` would make this work."""

    def __init__(self, package: str, extra: str, purpose: str) -> None:
        super().__init__(f"{purpose} needs the package {package}: pip install 'manyhot[{extra}]'")


class TrainingError(ManyhotError):
    """A training came to numbers that are not finite before it had learned anything."""


class RunError(ManyhotError):
    """A run folder is missing, broken, or was written by an unknown format version."""


class ManyhotWarning(UserWarning):
    """Something was repaired, skipped or assumed, and this says what."""
