"""Shows a page in the user's browser, once a process: the page loads itself again from then on."""

from __future__ import annotations

import os
from pathlib import Path

_shown = False


def show_once(file: str) -> None:
    """Show a page, unless one was shown before. A machine without a browser shows nothing."""
    global _shown
    if _shown:
        return
    _shown = True
    import webbrowser  # noqa: PLC0415 - only where DVCLIVE_OPEN asks for it

    # Under WSL the browser is Windows', which knows the path but no URL of Linux's files.
    windows = "microsoft" in os.uname().release.lower()
    webbrowser.open(file if windows else Path(file).absolute().as_uri())
