"""Values of types that are not taken, and the text that says so.

place = "plain"
"""

import decimal
import fractions

import numpy as np
from dvclive import Live
from dvclive.error import DvcLiveError, InvalidDataTypeError

REFUSED = [
    None, 1j, [1], {"a": 1}, (1,), {1}, b"bytes", object, decimal.Decimal(1), fractions.Fraction(1, 2),
    np.array(1.0), np.array([1.0]), np.bool_(True), np.longlong(1), np.complex64(1), np.str_("text"), np.datetime64("2020"),
]  # fmt: skip

with Live() as live:
    for value in REFUSED:
        try:
            live.log_metric("name", value)
        except DvcLiveError as error:
            assert isinstance(error, InvalidDataTypeError)
            print(type(error).__name__, error, error.name, error.val, error.args)
        else:
            print("taken", repr(value))
    live.log_metric("name", 1)
