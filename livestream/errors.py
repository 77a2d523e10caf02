"""Everything livestream raises, by who has to act.

    LivestreamError
    ├── InvalidEventError     the caller: an argument of emit() or init() cannot be sent (also a ValueError)
    ├── ConfigError           the user: an environment variable, an option or a DVC config holds nonsense
    ├── SpoolError            the machine: the spool folder cannot be used
    │   ├── SpoolFormatError      written by a newer livestream: upgrade the reader
    │   └── CorruptSpoolError     bytes on disk are not what was written
    └── DaemonError           the daemon could not be reached, or would not start
        └── SpoolBusyError        another daemon serves this spool

Training code meets only the first two, and only while its arguments are checked: trouble of ours is counted
and logged instead of raised.
"""

from __future__ import annotations


class LivestreamError(Exception):
    """The base of every exception that livestream raises."""


class InvalidEventError(LivestreamError, ValueError):
    """An argument cannot be sent; nothing of its event was stored.

    Attributes:
        field: Path of the offending argument, for example ``metrics['train/loss']``.
        problem: What is wrong with it, and what is wanted.
    """

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field}: {problem}")
        self.field = field
        self.problem = problem

    def __reduce__(self) -> tuple[type[InvalidEventError], tuple[str, str]]:
        """Travel from a worker process to its parent whole: a pool waits for ever for one that does not."""
        return InvalidEventError, (self.field, self.problem)


class ConfigError(LivestreamError):
    """A setting cannot be used; the message names it, its value's shape, and what would be accepted."""


class SpoolError(LivestreamError):
    """The spool folder cannot be used; the message says which one and why."""


class SpoolFormatError(SpoolError):
    """The spool, or a writer in it, was written by a newer livestream than this one."""


class CorruptSpoolError(SpoolError):
    """Bytes in the spool do not match their checksum or their format."""


class DaemonError(LivestreamError):
    """The daemon could not be reached, or would not start."""


class SpoolBusyError(DaemonError):
    """Another daemon already serves this spool."""
