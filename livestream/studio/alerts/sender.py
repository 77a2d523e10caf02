"""Posts alerts to where their rules say; nothing waits for it.

Each alert is a task of its own, at most `keeper.MAX_WAITING` of them, and those of one rule speak one at a time. What
may pass by itself, no connection, no answer, 5xx, 429, is tried five times within three minutes; anything else is
final. Redirects are not followed: an address that was not given must not be posted to. Of an answer only its status is
read, so that an alert cannot be used to look at what stands there. Proxies of the environment are not asked: they come
with the passwords of ``.netrc``.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Sequence
from typing import Final

import aiohttp
import msgspec

from livestream._version import __version__
from livestream.studio.alerts.keeper import Keeper, Result, done_with, with_result
from livestream.studio.alerts.message import Message, encoded, message_of, trial_message
from livestream.studio.alerts.parts import Parts
from livestream.studio.alerts.rules import Alert, Rule

logger: Final = logging.getLogger(__name__)

TIMEOUT_S: Final = 10.0
PAUSES_S: Final = (2.0, 8.0, 30.0, 90.0)
"""Before the second to the fifth try."""
_PASSING: Final = frozenset({408, 425, 429})
_HEADERS: Final = {"Content-Type": "application/json", "User-Agent": f"livestream/{__version__}"}


class _Try(msgspec.Struct, frozen=True):
    ok: bool
    detail: str
    may_pass: bool = False


class Sender:
    """Sends for one Studio; belongs to the event loop."""

    def __init__(
        self,
        keeper: Keeper,
        parts: Parts,
        pauses_s: Sequence[float] = PAUSES_S,
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        self._keeper = keeper
        self._counters = parts.counters
        self._page_url = parts.page_url
        self._clock_us = parts.clock_us
        self._pauses_s = pauses_s
        self._timeout = aiohttp.ClientTimeout(total=timeout_s)
        self._session: aiohttp.ClientSession | None = None
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._lanes: dict[int, asyncio.Lock] = {}

    def take(self, alerts: Iterable[Alert]) -> None:
        """Begin to send alerts; those that are being sent already are passed over."""
        for alert in alerts:
            if alert.id not in self._tasks:
                self._tasks[alert.id] = asyncio.create_task(self._deliver(alert))

    async def test(self, rule: Rule) -> Result:
        """Send a message that only shows that messages arrive, once; gives what became of it."""
        now_us = self._clock_us()
        result = self._result(await self._post(rule, trial_message(rule, now_us, self._page_url)))
        await self._keeper.change(lambda state: with_result(state, rule.id, result))
        return result

    async def stop(self) -> None:
        """Leave what is not sent yet for the next start."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._session is not None:
            await self._session.close()

    async def _deliver(self, alert: Alert) -> None:
        try:
            await self._try_all(alert)
        except (
            OSError
        ) as error:  # it was sent, or given up, and stays in the file: it may be sent again after a restart
            logger.warning("livestream.studio_alerts_not_kept", extra={"error": str(error)})
        except Exception:  # of one alert; nobody awaits its task
            logger.exception("livestream.studio_alert_failed")
        finally:
            self._tasks.pop(alert.id, None)

    async def _try_all(self, alert: Alert) -> None:
        result: Result | None = None
        for pause_s in (0.0, *self._pauses_s):
            await asyncio.sleep(pause_s)
            async with self._lanes.setdefault(alert.rule, asyncio.Lock()):
                rule = self._keeper.state.rules.get(alert.rule)
                if rule is None or not rule.enabled:
                    result = None
                    break
                tried = await self._post(rule, message_of(rule, alert, self._page_url))
            result = self._result(tried)
            if tried.ok or not tried.may_pass:
                break
        if result is not None and result.ok:
            self._counters.alerts_sent += 1
        elif result is not None:
            self._counters.alerts_failed += 1
            logger.warning("livestream.studio_alert_not_sent", extra={"rule": alert.rule, "reason": result.detail})
        await self._keeper.change(lambda state: done_with(state, alert, result))

    async def _post(self, rule: Rule, message: Message) -> _Try:
        """Post once. What is said of a failure is in our words: the library's may hold the address."""
        if self._session is None:
            self._session = aiohttp.ClientSession(
                timeout=self._timeout, cookie_jar=aiohttp.DummyCookieJar(), headers=_HEADERS, trust_env=False
            )
        body = encoded(message, rule.format)
        try:
            async with self._session.post(rule.url, data=body, allow_redirects=False) as answer:
                return _judged(answer.status)
        except TimeoutError:
            return _Try(ok=False, detail=f"no answer within {self._timeout.total:g} s", may_pass=True)
        except aiohttp.ClientConnectorCertificateError:
            return _Try(ok=False, detail="its certificate is not one that this machine trusts")
        except aiohttp.ClientConnectorDNSError:
            return _Try(ok=False, detail="its host is not known", may_pass=True)
        except aiohttp.InvalidURL:
            return _Try(ok=False, detail="its address cannot be used")
        except (aiohttp.ClientError, OSError, UnicodeError, ValueError) as error:
            return _Try(ok=False, detail=f"no connection, or one that broke ({type(error).__name__})", may_pass=True)

    def _result(self, tried: _Try) -> Result:
        return Result(time_us=self._clock_us(), ok=tried.ok, detail=tried.detail)


def _judged(status: int) -> _Try:
    if 200 <= status < 300:
        return _Try(ok=True, detail=f"sent; it answered {status}")
    if 300 <= status < 400:
        return _Try(ok=False, detail=f"it answered {status}, which leads elsewhere; that is not followed")
    return _Try(ok=False, detail=f"it answered {status}", may_pass=status >= 500 or status in _PASSING)
