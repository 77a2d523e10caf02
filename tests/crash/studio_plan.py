"""What clients tell a Studio in a storm, planned as a whole: every body with the rows and images that it holds.

Stock clients and writers of ours, several experiments of each. No two bodies hold the same row or image, so what is
stored says which bodies are in; each has the whole metrics file, as on the wire, and no two of one experiment have the
same step, so that the newest is the same in whichever order they come. Among writers of ours the last to come is the
newest, and they race each other here: each has a file of its own.
"""

from __future__ import annotations

import base64
import hashlib
import json
import random
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import msgspec

from livestream.studio.update import UpdateKey, Value

REPO_URL: Final = "https://github.com/octo/iris.git"
SHA: Final = "a1b2c3d4" * 5
SERIES: Final = ("train/loss", "train/accuracy", "eval/loss")
LARGE_ROWS: Final = 7_000
LARGE_IMAGE_BYTES: Final = 300_000


class Row(NamedTuple):
    """A point as it is stored."""

    experiment: str
    path: str
    column: str
    step: int
    timestamp: int
    value: Value


class Picture(NamedTuple):
    """An image as it is stored."""

    experiment: str
    path: str
    step: int
    sha256: str


class Post(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """One body.

    Attributes:
        lane: The writer, whose turns come one after the other; "" for a stock client's, which come in any order.
        turn: Posts of one turn are the parts of one update, in any order.
        step: Of its metrics; 0 where it has none.
        file: Where its metrics are.
        repair: It was a dead letter, and is tried again after all else of its writer.
    """

    number: int
    experiment: str
    payload: bytes
    lane: str = ""
    turn: int = 0
    key: UpdateKey | None = None
    losses: dict[str, int] = {}
    repair: bool = False
    step: int = 0
    file: str = "dvclive/metrics.json"
    rows: frozenset[Row] = frozenset()
    images: frozenset[Picture] = frozenset()

    @property
    def is_stock_start(self) -> bool:
        """Whether it is known as a repeat only by coming soon; later it begins a new session."""
        return not self.lane and b'"type": "start"' in self.payload

    @property
    def headers(self) -> dict[str, str]:
        """What goes with it."""
        if self.key is None:
            return {}
        key = self.key
        told = {"Livestream-Update": f"{key.writer}/{key.first}/{key.last}/{key.part}/{key.parts}"}
        if self.losses:
            told["Livestream-Losses"] = ",".join(f"{reason}={count}" for reason, count in self.losses.items())
        if self.repair:
            told["Livestream-Repair"] = "1"
        return told


class Plan:
    """Makes the posts of a storm.

    Args:
        dice: Decides everything.
        bodies: Of each experiment, about.
        large: How many of them are too large to be applied at once.
    """

    def __init__(self, dice: random.Random, bodies: int = 40, large: int = 2) -> None:
        self.posts: list[Post] = []
        self._dice = dice
        self._bodies = bodies
        self._large = large
        self._time_ms = 1_000_000

    def add_stock(self, name: str) -> None:
        """Plan what a stock client posts of an experiment."""
        self._add(name, self._start(name))
        for step, is_large in self._steps():
            self._add_data(name, step, self._plots(name, step, is_large=is_large))
        self._add(name, self._done(name))

    def add_keyed(self, name: str) -> None:
        """Plan what two writers of ours post of an experiment; the second is a contributor."""
        main, other = f"{name}-main", f"{name}-other"
        events, turns, gap = {main: 1, other: 0}, {main: 1, other: 0}, (0, 0)
        self._add(name, self._start(name), lane=main, turn=0, key=UpdateKey(main, 1, 1, 1, 1))
        dead = self._dice.randint(2, self._bodies - 1)
        for step, is_large in sorted(self._steps(), key=lambda each: each[0] == dead):  # that one last
            writer = main if self._dice.random() < 0.6 and step not in {1, dead, self._bodies} else other
            if step == dead:
                first, last = gap
            else:
                first = events[writer] + 1
                events[writer] = last = first + self._dice.randint(0, 5)
            if step == 1:  # behind it is what was a dead letter
                gap = last + 1, last + 3
                events[writer] = last + 3
            plots = self._plots(name, step, is_large=is_large)
            for number, part in enumerate(parts := self._parted(plots), 1):
                key = UpdateKey(writer, first, last, number, len(parts))
                losses = {"quota": step // 10} if writer == other and step > 10 else {}
                more = {"lane": writer, "turn": turns[writer], "key": key, "losses": losses, "repair": step == dead}
                self._add_data(name, step, part, **more)
            turns[writer] += 1
        last = events[main] + 1
        self._add(name, self._done(name), lane=main, turn=turns[main], key=UpdateKey(main, last, last, 1, 1))

    # -- bodies

    def _steps(self) -> Iterator[tuple[int, bool]]:
        large = set(self._dice.sample(range(1, self._bodies + 1), self._large))
        for step in range(1, self._bodies + 1):
            yield step, step in large

    def _start(self, name: str) -> dict[str, Any]:
        params = {"params.yaml": {"lr": 0.1, "model": {"layers": 3, "name": name}}}
        return {"type": "start", "params": params, "message": f"a try of {name}", "machine": {"cpu": {"count": 2}}}

    def _done(self, name: str) -> dict[str, Any]:
        return {"type": "done", "experiment_rev": hashlib.sha1(name.encode()).hexdigest()}

    def _add_data(self, name: str, step: int, plots: dict[str, Any], **more: Any) -> None:
        rows, images = _content(name, plots)
        metrics = {"step": step, "train": {"loss": 1 / step, "accuracy": 1 - 1 / step}}
        file = f"{more.get('lane') or 'dvclive'}/metrics.json"
        body = {"type": "data", "step": step, "metrics": {file: {"data": metrics}}, "plots": plots}
        if more.get("repair"):
            del body["metrics"]
        self._add(name, body, step=step, file=file, rows=rows, images=images, **more)

    def _add(self, name: str, body: dict[str, Any], **more: Any) -> None:
        whole = {"repo_url": REPO_URL, "baseline_sha": SHA, "name": name, "client": "storm", **body}
        payload = json.dumps(whole).encode()
        self.posts.append(Post(number=len(self.posts), experiment=name, payload=payload, **more))

    # -- plots

    def _plots(self, name: str, step: int, *, is_large: bool) -> dict[str, Any]:
        dice = self._dice
        plots: dict[str, Any] = {}
        as_image = is_large and dice.random() < 0.4
        for series in dice.sample(SERIES, dice.randint(1, len(SERIES))):
            rows = self._rows(series.rpartition("/")[2], step, large=is_large and not as_image and not plots)
            plots[f"dvclive/plots/metrics/{series}.tsv"] = {"data": rows}
        if as_image or dice.random() < 0.2:
            content = dice.randbytes(LARGE_IMAGE_BYTES if as_image else dice.choice([100, 20_000]))
            image = base64.b64encode(content).decode()
            plots["dvclive/plots/images/sample.png"] = {"image": image, "props": {"step": step}}
        if dice.random() < 0.2:
            image = base64.b64encode(b"the same image, time and again").decode()
            plots["dvclive/plots/images/still.png"] = {"image": image, "props": {"step": step}}
        if dice.random() < 0.3:
            props = {"template": "confusion", "x": "actual", "y": "predicted"}
            plots["dvclive/plots/custom/confusion.json"] = {
                "data": [{"actual": name, "predicted": step}],
                "props": props,
            }
        return plots

    def _rows(self, column: str, step: int, *, large: bool) -> list[dict[str, Any]]:
        """Give rising rows, and some at steps where there are rows already, of other bodies too."""
        dice = self._dice
        count = LARGE_ROWS if large else dice.randint(1, 12)
        steps = list(range(step * 10_000 if large else step * 12, (step * 10_000 if large else step * 12) + count))
        if dice.random() < 0.3:
            steps += [dice.randrange(step * 12) for _ in range(dice.randint(1, 5))]
        return [self._row(column, each) for each in steps]

    def _row(self, column: str, step: int) -> dict[str, Any]:
        self._time_ms += 1
        odd = self._dice.random()
        value = self._dice.choice(["nan", "inf", "-inf"]) if odd < 0.02 else step if odd < 0.1 else step / 7
        return {"step": step, "timestamp": self._time_ms, column: value}

    def _parted(self, plots: dict[str, Any]) -> list[dict[str, Any]]:
        """Cut plots into the parts of one update."""
        count = self._dice.choice([1, 1, 2, 3])
        parts: list[dict[str, Any]] = [{} for _ in range(min(count, len(plots)) or 1)]
        for number, (path, plot) in enumerate(plots.items()):
            parts[number % len(parts)][path] = plot
        return parts


def planned(dice: random.Random, *, bodies: int = 40, large: int = 2, each: int = 2) -> list[Post]:
    """Plan a storm of ``each`` stock and keyed experiments, their posts in an order in which they may come."""
    plan = Plan(dice, bodies, large)
    for number in range(each):
        plan.add_stock(f"stock-{number}")
        plan.add_keyed(f"keyed-{number}")
    return plan.posts


def _content(name: str, plots: dict[str, Any]) -> tuple[frozenset[Row], frozenset[Picture]]:
    rows, images = [], []
    for path, plot in plots.items():
        if "image" in plot:
            sha256 = hashlib.sha256(base64.b64decode(plot["image"])).hexdigest()
            images.append(Picture(name, path, plot["props"]["step"], sha256))
        elif "/custom/" not in path:
            column = path.rpartition("/")[2].removesuffix(".tsv")
            rows += [
                Row(name, path, column, row["step"], row["timestamp"], _stored(row[column])) for row in plot["data"]
            ]
    return frozenset(rows), frozenset(images)


def _stored(value: Value) -> Value:
    return float(value) if value in {"inf", "-inf"} else value
