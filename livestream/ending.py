"""How a run learns that its process ends: at exit, by an exception that nobody caught, or by SIGTERM.

The hooks are set with the first run and chain to what was there. SIGTERM is taken only where nobody else has: in the
main thread, from ``SIG_DFL``. Its handler takes no lock, because it may interrupt an ``emit`` that holds one: it leaves
the signal's number in the journal, gives the default back and raises the signal again, so that the process dies as it
would have; the daemon, which finds the number, says so in ``done``.
"""

from __future__ import annotations

import atexit
import os
import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Protocol

from livestream.events import Problem


class Endable(Protocol):
    """What is told of the end."""

    def note_failure(self, problem: Problem) -> None:
        """An exception ends the process."""

    def note_signal(self, number: int) -> None:
        """A signal ends the process."""

    def end_at_exit(self) -> None:
        """The process exits."""


_watched: list[Endable] = []
_previous_hook: Callable[[type[BaseException], BaseException, TracebackType | None], object] | None = None


def watch(run: Endable, *, signals: bool) -> None:
    """Tell a run of the process's end from now on."""
    global _previous_hook
    if _previous_hook is None:
        _previous_hook, sys.excepthook = sys.excepthook, _on_exception
        atexit.register(_on_exit)
    _watched.append(run)
    in_main = threading.current_thread() is threading.main_thread()
    if signals and in_main and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, _on_sigterm)


def unwatch(run: Endable) -> None:
    """Tell a run of nothing more."""
    if run in _watched:
        _watched.remove(run)


def is_failure(error: BaseException | None) -> bool:
    """Tell whether what left a block with a run in it makes that a failed one; ``sys.exit()`` does not."""
    return error is not None and not (isinstance(error, SystemExit) and not error.code)


def problem_of(kind: type[BaseException], error: BaseException | None) -> Problem:
    """Say what an exception was, as the wire's ``errors`` want it."""
    name = kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    try:
        text = str(error)
    except Exception as second:  # noqa: BLE001 - a broken __str__ must not hide that the run failed
        text = f"(its text could not be had: {type(second).__name__})"
    return Problem(name, text.encode(errors="replace").decode())


def _on_exception(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
    for run in _watched.copy():
        run.note_failure(problem_of(kind, error))
    if _previous_hook is not None:
        _previous_hook(kind, error, traceback)


def _on_exit() -> None:
    for run in _watched.copy():
        run.end_at_exit()


def _on_sigterm(number: int, _frame: FrameType | None) -> None:
    try:
        for run in _watched.copy():
            run.note_signal(number)
    finally:  # whatever happens, the process dies as it was told to
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
