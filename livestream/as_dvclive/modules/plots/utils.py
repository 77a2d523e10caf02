"""JSON of numpy's scalars."""

from __future__ import annotations

import json
from typing import Any, Final

from livestream.live.metrics import NUMPY_FLOATS as _FLOATS
from livestream.live.metrics import NUMPY_INTS as _INTS

NUMPY_INTS: Final = sorted(_INTS)
NUMPY_FLOATS: Final = sorted(_FLOATS)
NUMPY_SCALARS: Final = NUMPY_INTS + NUMPY_FLOATS


class NumpyEncoder(json.JSONEncoder):
    """``json.dumps(..., cls=NumpyEncoder)``: numpy's integers and floats are numbers."""

    def default(self, o: Any) -> Any:
        """Give a scalar as Python has it.

        Raises:
            TypeError: It is none.
        """
        kind = o.__class__
        if kind.__module__ == "numpy" and kind.__name__ in _INTS:
            return int(o)
        if kind.__module__ == "numpy" and kind.__name__ in _FLOATS:
            return float(o)
        return super().default(o)
