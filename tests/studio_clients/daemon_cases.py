"""The stage of the end-to-end tests with a real Studio behind a line that can be cut, in the fake one's place."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from clients_cases import Reads, Row, Series
from stage import Stage
from studio_stage import RunningStudio

from livestream.testing import Link

HASTY: Final = {
    "silent_s": "2.5",
    "lost_s": "5",
    "quiet_silent_s": "2.5",
    "quiet_lost_s": "5",
    "behind_s": "0.3",
    "heartbeat_s": "1",
}
"""Bounds of a Studio whose patience ends after seconds."""


class StudioStage(Stage):
    """A stage whose trainings and daemons speak to a real Studio.

    Attributes:
        real: The Studio, in a process of its own.
        reads: Its read API, not through the line.
        link: The line.
    """

    def __init__(self, root: Path, bounds: Mapping[str, str] | None = None) -> None:
        super().__init__(root)
        home = {"HOME": str(self.home), "XDG_CONFIG_HOME": str(self.home / ".config")}
        (root / "studio").mkdir()
        adjusted = [word for name, value in (bounds or {}).items() for word in ("--set", f"{name}={value}")]
        self.real = RunningStudio(root / "studio" / "data", home, *adjusted)
        self.reads = Reads(self.real)

    def __enter__(self) -> Self:
        self.real.start()
        self.link = Link(int(self.real.url.rpartition(":")[2]))
        self._token = self.real.first_token
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        super().__exit__(kind, error, traceback)
        self.link.close()
        said = "" if self.real.process.poll() is not None else self.real.stop()
        self.real.__exit__(kind, error, traceback)
        print(f"--- the Studio\n{said[-4000:]}")
        assert error is not None or "Traceback" not in said, said

    def environ(self, **more: str | None) -> dict[str, str]:
        """As the fake one's, but with the address of the line."""
        return super().environ(**{"DVC_STUDIO_URL": self.link.url, "DVC_STUDIO_TOKEN": self._token, **more})

    def unconfigured(self) -> dict[str, str]:
        """Give a terminal in which nobody has set anything."""
        spoken = ("DVC_STUDIO_URL", "DVC_STUDIO_TOKEN", "DVC_STUDIO_REPO_URL", "DVC_EXP_BASELINE_REV")
        return self.environ(**dict.fromkeys((*spoken, "LIVESTREAM_DAEMON")))


def series(name: str, rows: list[tuple[int, float | str]]) -> dict[Series, list[Row]]:
    """Give a metric's series as it has to be in the end; a column never has the name of the axis."""
    column = next(column for column in (name.rpartition("/")[2], name, "value") if column not in {"step", "timestamp"})
    return {(f"dvclive/plots/metrics/{name}.tsv", column): [(step, value, None) for step, value in rows]}
