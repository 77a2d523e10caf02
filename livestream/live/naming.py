"""What images and plots may be called: a path below their folder, which a name with too many ``..`` leaves."""

from __future__ import annotations

from livestream.live.error import InvalidNameError
from livestream.live.metrics import parts_of


def below(kind: str, name: object) -> str:
    """Give a name as a path below a folder, without ``.``, ``..`` and empty parts.

    Args:
        kind: What is called so, with its article, for the error's text.
        name: As the user gave it.

    Raises:
        InvalidNameError: No file below the folder can be called so.
    """
    try:
        return "/".join(parts_of(name))
    except InvalidNameError:
        raise InvalidNameError(
            f"{name!r} is not the name of {kind}: a text is wanted that is the path of a file below the run's folder"
        ) from None
