"""What forms send, and words for people's times."""

from __future__ import annotations

from typing import Final
from urllib.parse import parse_qs

from aiohttp import web

from livestream.studio.http.problems import ProblemError
from livestream.studio.http.routes import content_of

_MAX_FORM_BYTES: Final = 64 * 1024
_STEPS: Final = ((60, "s"), (3600, "min"), (86_400, "h"))
_UNIT_S: Final = {"s": 1, "min": 60, "h": 3600, "d": 86_400}


class Form:
    """The fields of a form that came."""

    def __init__(self, fields: dict[str, list[str]]) -> None:
        self._fields = fields

    def one(self, name: str, default: str = "") -> str:
        """Give a field's first value, without space around it."""
        return self._fields.get(name, [default])[0].strip()

    def every(self, name: str) -> list[str]:
        """Give all values of a field, such as those of its ticked boxes."""
        return self._fields.get(name, [])

    def number(self, name: str) -> int | None:
        """Give a field as a whole number; None where it is empty.

        Raises:
            ProblemError: 400 with the name of the field.
        """
        text = self.one(name)
        if not text:
            return None
        if not (text.isascii() and text.isdecimal() and len(text) < 19):
            raise ProblemError(400, f"{name}: not a whole number")
        return int(text)


async def form_of(request: web.Request) -> Form:
    """Read a form.

    Raises:
        ProblemError: 400, 408, 413 or 415.
    """
    if request.content_type != "application/x-www-form-urlencoded":
        raise ProblemError(415, f"Content-Type: {request.content_type}; accepted: application/x-www-form-urlencoded")
    content = await content_of(request, _MAX_FORM_BYTES)
    try:
        return Form(parse_qs(content.decode(), keep_blank_values=True, max_num_fields=100))
    except ValueError:
        raise ProblemError(400, "body: not a form") from None


def span(seconds: float) -> str:
    """Tell a length of time by its largest unit: ``3 min``."""
    seconds = max(seconds, 0.0)
    unit = next((unit for end, unit in _STEPS if seconds < end), "d")
    return f"{seconds / _UNIT_S[unit]:.0f} {unit}"


def ago(now_us: int, then_us: int | None) -> str:
    """Tell how long something is past: ``3 min ago``; of None: ``never``."""
    if then_us is None:
        return "never"
    seconds = (now_us - then_us) / 1e6
    return "just now" if seconds < 5 else f"{span(seconds)} ago"
