"""All of a Studio's alerts: what the HTTP interface asks for, and the work that goes on by itself."""

from __future__ import annotations

from pathlib import Path

import msgspec

from livestream.studio.alerts.keeper import MAX_RULES, Keeper, Result, State, with_rule, without_rule
from livestream.studio.alerts.parts import Parts
from livestream.studio.alerts.rules import Format, On, Rule
from livestream.studio.alerts.sender import Sender
from livestream.studio.alerts.watch import Watch


class TooManyRulesError(Exception):
    """There are as many rules as there can be."""


class NoRuleError(LookupError):
    """There is no rule of that number."""


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """A rule as somebody wants it; ``url`` None: as it was."""

    name: str
    project: int | None
    on: On
    enabled: bool
    url: str | None
    format: Format


class Desk:
    """Alerts of one Studio. Belongs to the event loop."""

    def __init__(self, data: Path, parts: Parts) -> None:
        self._clock_us = parts.clock_us
        self._keeper = Keeper(data)
        self._sender = Sender(self._keeper, parts)
        self._watch = Watch(self._keeper, self._sender, parts)

    @property
    def state(self) -> State:
        """Rules, and what became of them."""
        return self._keeper.state

    async def run(self) -> None:
        """Send what waits, and watch, until the broker closes or this is cancelled."""
        try:
            self._sender.take(self._keeper.state.waiting)
            await self._watch.run()
        finally:
            await self._sender.stop()
            await self._keeper.settled()

    async def add(self, wish: Wish, url: str) -> Rule:
        """Make a rule. Of what it holds of now nothing is told: it is news to nobody.

        Raises:
            TooManyRulesError: There are `MAX_RULES`.
            OSError: The rules cannot be kept; StoreError: the experiments cannot be read.
        """
        draft = self._rule(0, wish, url, revision=0)
        holds = await self._watch.holds_of(draft)

        def put(state: State) -> State:
            nonlocal draft
            if len(state.rules) >= MAX_RULES:
                raise TooManyRulesError
            draft = msgspec.structs.replace(draft, id=state.next_rule)
            return with_rule(state, draft, holds)

        await self._keeper.change(put)
        self._watch.look_at_all()
        return draft

    async def change(self, number: int, wish: Wish) -> Rule:
        """Put a rule in the place of another; what it is about begins anew where that changed, or it was off.

        Raises:
            NoRuleError: There is none.
            OSError: As `add`; StoreError likewise.
        """
        before = self._known(number)
        begins = (wish.on, wish.project) != (before.on, before.project) or (wish.enabled and not before.enabled)
        draft = self._rule(number, wish, wish.url or before.url, revision=before.revision + begins)
        holds = await self._watch.holds_of(draft) if begins else set()

        def put(state: State) -> State:
            nonlocal draft
            known = state.rules.get(number)
            if known is None:
                raise NoRuleError(number)
            draft = msgspec.structs.replace(draft, created_us=known.created_us)
            return with_rule(state, draft, holds if begins else state.holds.get(number, ()))

        await self._keeper.change(put)
        self._watch.look_at_all()
        return draft

    async def drop(self, number: int) -> None:
        """Forget a rule, and what waits to be sent for it.

        Raises:
            NoRuleError: There is none.
            OSError: As `add`.
        """
        self._known(number)
        await self._keeper.change(lambda state: without_rule(state, number))

    async def test(self, number: int) -> Result:
        """Send a test message.

        Raises:
            NoRuleError: There is none.
            OSError: The result cannot be kept.
        """
        return await self._sender.test(self._known(number))

    def _known(self, number: int) -> Rule:
        rule = self._keeper.state.rules.get(number)
        if rule is None:
            raise NoRuleError(number)
        return rule

    def _rule(self, number: int, wish: Wish, url: str, *, revision: int) -> Rule:
        return Rule(
            id=number,
            name=wish.name,
            project=wish.project,
            on=wish.on,
            enabled=wish.enabled,
            url=url,
            format=wish.format,
            created_us=self._clock_us(),
            revision=revision,
        )
