"""Pictures of a network in training, as PNGs: its weights, and how it divides the plane of the petals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from livestream.demo.network import Network
from livestream.pipeline.encode import png

WEIGHT_PIXELS: Final = 12
"""A weight is a square of so many pixels."""

PLANE_CELLS: Final = 28
"""The plane of the petals is so many cells wide and high, a cell a square of ``CELL_PIXELS``."""
CELL_PIXELS: Final = 8
PLANE_EDGE: Final = 2.2
"""The plane goes from minus this many standard deviations to plus as many; the flowers lie within."""

_Colour = tuple[int, int, int]
_SPECIES_COLOURS: Final[tuple[_Colour, ...]] = ((86, 180, 233), (230, 159, 0), (0, 158, 115))
"""Blue, orange and green of Okabe and Ito's palette, which people with any colour vision can tell apart."""
_DARK: Final = 0.55


def draw_weights(network: Network) -> bytes:
    """Draw the weights: a row a hidden unit, inputs left, outputs right; red is above 0, blue below."""
    rows = [weights + [out[unit] for out in network.output] for unit, weights in enumerate(network.hidden)]
    largest = max(abs(weight) for row in rows for weight in row) or 1.0
    return _mosaic([[_signed(weight / largest) for weight in row] for row in rows], WEIGHT_PIXELS)


def draw_regions(network: Network, flowers: Sequence[Sequence[float]], species: Sequence[int]) -> bytes:
    """Draw which species the network sees where, by petal length (to the right) and width (upwards).

    The lengths of the sepals are the average ones. The flowers are dark dots of their true species' colour.

    Args:
        network: What to ask.
        flowers: Four standardised lengths each.
        species: Which each truly is.
    """
    ticks = [PLANE_EDGE * (2 * place + 1 - PLANE_CELLS) / PLANE_CELLS for place in range(PLANE_CELLS)]
    plane = [[_shade(network.likelihoods((0.0, 0.0, length, width))) for length in ticks] for width in reversed(ticks)]
    for (*_, length, width), kind in zip(flowers, species, strict=True):
        colour = _SPECIES_COLOURS[kind]
        plane[PLANE_CELLS - 1 - _cell(width)][_cell(length)] = _mixed(colour, (0, 0, 0), _DARK)
    return _mosaic(plane, CELL_PIXELS)


def _cell(value: float) -> int:
    return min(max(int((value + PLANE_EDGE) / (2 * PLANE_EDGE) * PLANE_CELLS), 0), PLANE_CELLS - 1)


def _shade(likely: Sequence[float]) -> _Colour:
    """Give the most likely species' colour, the paler the less sure the network is."""
    highest = max(likely)
    return _mixed(_SPECIES_COLOURS[likely.index(highest)], (255, 255, 255), highest)


def _signed(share: float) -> _Colour:
    return _mixed((255, 0, 0) if share > 0 else (0, 0, 255), (255, 255, 255), abs(share))


def _mixed(colour: _Colour, other: _Colour, share: float) -> _Colour:
    """Mix two colours; ``share`` is that of the first."""
    red, green, blue = (round(one * share + two * (1.0 - share)) for one, two in zip(colour, other, strict=True))
    return red, green, blue


def _mosaic(cells: Sequence[Sequence[_Colour]], pixels: int) -> bytes:
    """Draw rows of coloured squares, each so many pixels wide and high."""
    content = b"".join(b"".join(bytes(colour) * pixels for colour in row) * pixels for row in cells)
    height, width = len(cells) * pixels, len(cells[0]) * pixels
    return png(content, height=height, width=width, channels=3, max_bytes=len(content) + 4096)
