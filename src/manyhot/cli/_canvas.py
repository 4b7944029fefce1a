"""Curves in a terminal: every character cell is 2 x 4 dots of a braille pattern."""

from collections.abc import Sequence

import click
import numpy as np
from numpy.typing import NDArray

DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))  # bit of the dot at row, column of a cell
BLANK = 0x2800


class Canvas:
    """Lines of characters to draw curves on.

    Args:
        low: the smallest y.
        high: the largest y.
        width: characters.
        height: lines.
    """

    def __init__(self, low: float, high: float, width: int = 40, height: int = 9) -> None:
        self.low, self.high = (low, high) if high > low else (low - 1, high + 1)
        self.bits = np.zeros((height, width), np.int64)
        self.colours = np.full((height, width), "", dtype=object)

    def curve(self, values: Sequence[float] | NDArray[np.float64], colour: str, every: int = 1) -> None:
        """Draw values at equal distances from edge to edge, in every so many-th column of dots."""
        width = self.bits.shape[1]
        columns = np.arange(2 * width)
        y = np.interp(columns, np.linspace(0, 2 * width - 1, len(values)), np.asarray(values, float))
        rows = self._dot_row(y)
        for column in columns[::every]:
            # A steep piece is filled from the dot of the column before, so that no curve falls apart.
            before = rows[max(column - 1, 0)] if every == 1 else rows[column]
            first, last = sorted((before, rows[column]))
            for row in range(first, last + 1):
                self.bits[row // 4, column // 2] |= DOTS[row % 4][column % 2]
                self.colours[row // 4, column // 2] = colour

    def lines(self) -> list[str]:
        """The drawing, coloured, with the largest and smallest y at its left."""
        margin = max(len(text) for text in map(_number, (self.low, self.high)))
        texts = []
        for place, (bits, colours) in enumerate(zip(self.bits, self.colours, strict=True)):
            edge = {0: _number(self.high), len(self.bits) - 1: _number(self.low)}.get(place, "")
            cells = (
                click.style(chr(BLANK + bit), fg=colour or None)
                for bit, colour in zip(bits, colours, strict=True)
            )
            texts.append(f"{edge:>{margin}} │{''.join(cells)}")
        return texts

    def _dot_row(self, y: NDArray[np.float64]) -> NDArray[np.int64]:
        dots = 4 * len(self.bits)
        share = (self.high - y) / (self.high - self.low)
        return np.clip(np.rint(share * (dots - 1)), 0, dots - 1).astype(np.int64)


def _number(value: float) -> str:
    return f"{value:.3g}"
