"""What an experiment holds under a field of the query language (`query`): its facts as texts and numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from livestream.studio.experiment import Facts
from livestream.studio.query import Held
from livestream.studio.status import Status
from livestream.studio.store.base import ExperimentHead
from livestream.studio.update import Identity

_US: Final = 1_000_000


def field_held(head: ExperimentHead, field: str, status: Callable[[Identity, Facts], Status]) -> Sequence[Held]:
    """Give the values of a field; a run has one client, or several. ``status`` is only asked for the field status."""
    if field == "status":
        return [status(head.identity, head.facts).kind]
    if field == "client":
        return head.facts.clients
    return [_FIELDS[field](head)]


_FIELDS: Final[Mapping[str, Callable[[ExperimentHead], Held]]] = {
    "id": lambda head: head.id,
    "name": lambda head: head.identity.name,
    "step": lambda head: head.facts.step,
    "created": lambda head: head.created_us / _US,
    "updated": lambda head: head.updated_us / _US,
    "repository": lambda head: head.identity.repository,
    "baseline": lambda head: head.identity.baseline_sha,
    "message": lambda head: head.facts.message,
}
