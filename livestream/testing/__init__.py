"""For tests: a Studio of one's own, which remembers what came and fails as it is told to.

`FakeStudio` is part of the public interface: a project that uses livestream can test its own training scripts with it,
and so do we. It needs nothing but livestream's own dependencies. `Link` breaks the network before a real server.
"""

from __future__ import annotations

from livestream.testing.experiment import Backlog, ExperimentLedger, ImageRecord
from livestream.testing.ledger import Entry, Heartbeat, Ledger
from livestream.testing.marks import Marks, UpdateHeader
from livestream.testing.network import Link
from livestream.testing.script import Answer, Rule
from livestream.testing.studio import DEFAULT_TOKEN, FakeStudio

__all__ = [
    "DEFAULT_TOKEN",
    "Answer",
    "Backlog",
    "Entry",
    "ExperimentLedger",
    "FakeStudio",
    "Heartbeat",
    "ImageRecord",
    "Ledger",
    "Link",
    "Marks",
    "Rule",
    "UpdateHeader",
]
