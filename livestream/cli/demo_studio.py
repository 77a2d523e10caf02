"""The demo's Studio: `livestream studio` as anybody runs it, in a process of its own, asked through its read API."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from contextlib import closing, suppress
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Final, TypeVar
from urllib.parse import quote, urlsplit

import msgspec

from livestream.cli.exits import CommandError
from livestream.cli.studios import sign_in_page
from livestream.demo.leash import Leashed
from livestream.demo.record import Picture, Point
from livestream.events import Json, JsonObject
from livestream.files import private_folder
from livestream.studio.auth.keeper import Keeper, sign_in_link
from livestream.studio.clock import now_us

HEARTBEAT_S: Final = 1
SILENT_S: Final = 2.5
BEHIND_S: Final = 1.0
"""A Studio of everyday use waits for a minute, and 30 s, before it says so; here nobody waits that long."""

START_S: Final = 20.0
STOP_S: Final = 10.0
"""A Studio that is told to stop takes 5 s at most for what is in flight."""
ANSWER_S: Final = 10.0
LOOK_S: Final = 0.05

_TAKEN: Final = 'answers_total{route="POST /api/live",status="200"}'

T = TypeVar("T")


class Judgement(msgspec.Struct, frozen=True):
    """What the Studio calls a run, and why."""

    kind: str
    reason: str


class Missing(msgspec.Struct, frozen=True):
    """What never came, and what was given up on the node, by reason."""

    missing_events: int
    losses: dict[str, int]


class Seen(msgspec.Struct, frozen=True):
    """A run as the Studio shows it; ``metrics`` and ``params`` by file."""

    id: int
    name: str
    status: Judgement
    delivery: Missing
    step: int | None
    metrics: dict[str, JsonObject]
    params: dict[str, JsonObject]


class Requests(msgspec.Struct, frozen=True):
    """What was answered with 200; ``repeats``: updates among them that came again and were known by their key."""

    taken: int
    repeats: int


class _Running(msgspec.Struct, frozen=True):
    url: str


class _Page(msgspec.Struct, frozen=True):
    experiments: list[Seen]


class _Series(msgspec.Struct, frozen=True):
    path: str
    column: str
    name: str


class _AllSeries(msgspec.Struct, frozen=True):
    series: list[_Series]


class _Row(msgspec.Struct, frozen=True):
    path: str
    column: str
    step: int
    value: float | str


class _Image(msgspec.Struct, frozen=True):
    path: str
    step: int
    sha256: str


class _Images(msgspec.Struct, frozen=True):
    images: list[_Image]


class _Plot(msgspec.Struct, frozen=True):
    path: str


class _Plots(msgspec.Struct, frozen=True):
    plots: list[_Plot]


class _Content(msgspec.Struct, frozen=True):
    rows: list[JsonObject]


class DemoStudio:
    """The Studio's process, and a client of its read API.

    Attributes:
        url: Where it listens, ``port`` included; the trainings are not told this but the line that leads there.
        ingest_token: The trainings'.
    """

    def __init__(self, folder: Path) -> None:
        """Prepare its data folder, with a token to send and one to read."""
        self._data = private_folder(folder / "studio")
        self._log = folder / "studio.log"
        self._process: Leashed | None = None
        self.url = ""
        with closing(Keeper(self._data, now_us)) as keeper:
            _, self.ingest_token = keeper.create("training", ("ingest",))
            _, self._read_token = keeper.create("ledger", ("read",))

    @property
    def port(self) -> int:
        """Where it listens."""
        return urlsplit(self.url).port or 0

    def new_link(self) -> str:
        """Make a link that signs a browser in, once."""
        with closing(Keeper(self._data, now_us)) as keeper:
            return sign_in_link(self.url, keeper.new_sign_in_code())

    def new_link_page(self) -> Path:
        """Make a file that leads on to such a link."""
        return sign_in_page(self._data, self.new_link())

    def start(self, environ: Mapping[str, str]) -> None:
        """Start it and wait until it answers.

        Raises:
            CommandError: It does not start.
        """
        bounds = {"heartbeat_s": HEARTBEAT_S, "silent_s": SILENT_S, "behind_s": BEHIND_S}
        settings = [word for name, value in bounds.items() for word in ("--set", f"{name}={value}")]
        place = ["--data", str(self._data), "--port", "0", "--no-announce"]
        self._process = Leashed("livestream", "studio", *place, *settings, log=self._log, environ=environ)
        deadline = time.monotonic() + START_S
        while not self._answers():
            if self._process.code is not None or time.monotonic() > deadline:
                raise CommandError(f"the demo's Studio does not start:\n{self._process.tail()}")
            time.sleep(LOOK_S)

    def stop(self) -> None:
        """End it; may be called twice."""
        if self._process is not None:
            self._process.end(STOP_S)

    def experiments(self) -> dict[str, Seen]:
        """Ask for the runs of which something has come, by name."""
        return {one.name: one for one in self._ask("/api/experiments", _Page).experiments}

    def requests(self) -> Requests:
        """Ask how many updates it took."""
        text = self._get("/metrics").decode()
        return Requests(taken=_sample(text, _TAKEN), repeats=_sample(text, "repeats_total"))

    def points(self, experiment: int) -> list[Point]:
        """Read every row that is stored."""
        series = self._ask(f"/api/experiments/{experiment}/series", _AllSeries).series
        names = {(one.path, one.column): one.name for one in series}
        lines = self._get(f"/api/experiments/{experiment}/export?format=jsonl&rows=all")
        rows = msgspec.json.Decoder(_Row).decode_lines(lines)
        return [(names[row.path, row.column], row.step, row.value) for row in rows]

    def images(self, experiment: int) -> list[Picture]:
        """Read which images it has."""
        images = self._ask(f"/api/experiments/{experiment}/images", _Images).images
        return [(Path(image.path).name, image.step, image.sha256) for image in images]

    def plots(self, experiment: int) -> dict[str, list[JsonObject]]:
        """Read the plots that are no series, by name."""
        root = f"/api/experiments/{experiment}/plots"
        found = self._ask(root, _Plots).plots
        return {
            Path(plot.path).stem: self._ask(f"{root}/content?path={quote(plot.path)}", _Content).rows for plot in found
        }

    def _answers(self) -> bool:
        """Whether it listens; its address is known from then on."""
        with suppress(OSError, CommandError, msgspec.DecodeError):
            self.url = msgspec.json.decode((self._data / "studio.json").read_bytes(), type=_Running).url
            self._get("/healthz")
            return True
        return False

    def _ask(self, path: str, kind: type[T]) -> T:
        return msgspec.json.decode(self._get(path), type=kind)

    def _get(self, path: str) -> bytes:
        try:
            with closing(HTTPConnection("127.0.0.1", self.port, timeout=ANSWER_S)) as connection:
                connection.request("GET", path, headers={"Authorization": f"token {self._read_token}"})
                answer = connection.getresponse()
                content = answer.read()
        except (OSError, HTTPException) as error:
            raise CommandError(f"the demo's Studio does not answer GET {path}: {error}") from error
        if answer.status != 200:
            raise CommandError(f"the demo's Studio answered GET {path} with {answer.status}: {content[:300]!r}")
        return content


def _sample(text: str, name: str) -> int:
    """Find a value in Prometheus's text format; 0 where it was not counted yet."""
    found = re.search(rf"^livestream_studio_{re.escape(name)} (\S+)$", text, re.MULTILINE)
    return int(float(found[1])) if found else 0


def newest(files: Mapping[str, JsonObject], *names: str) -> float | None:
    """Find a number in metrics by its path in the dictionary."""
    for content in files.values():
        value: Json = content
        for name in names:
            value = value.get(name) if isinstance(value, dict) else None
        if isinstance(value, int | float):
            return float(value)
    return None
