"""What a Studio may be full of: scenes for pictures, and for tests that want a page as people will see it.

The project is real where it can be: networks trained on the Iris data (`livestream.demo`), a real Git repository, a
real training killed by SIGKILL, a real daemon whose line is cut.
"""

from __future__ import annotations

import asyncio
import base64
import math
import random
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Final

import msgspec
from git_cases import Repository
from studio_stage import REPO_URL, SHA, Client, OpenStudio, body, studio_environment

from livestream.demo.iris import FEATURES, SPECIES, flowers, split, standardised
from livestream.demo.leash import Leashed
from livestream.demo.network import Network, Score
from livestream.demo.pictures import draw_regions
from livestream.demo.plots import confusion, detection
from livestream.demo.training import Plan
from livestream.events import Json, JsonObject
from livestream.testing.network import Link

WAIT_S: Final = 60.0
EPOCHS: Final = 120
PICTURES_EVERY: Final = 24
SHORT_EPOCHS: Final = 30
"""Live runs are so many epochs short of the end."""
EPOCH_MS: Final = 4_000
NOISE: Final = 0.012
STEPS_BEFORE: Final = 40
CUT_S: Final = 12.0
KILLED: Final = {"steady-ox": "Goes on", "night-run": "Killed in the middle"}
CUT: Final = ("far-cabin", "night-train")
TRACEBACK: Final = """Traceback (most recent call last):
  File "/home/ada/iris/train.py", line 88, in <module>
    main(params)
  File "/home/ada/iris/train.py", line 61, in main
    loss.backward()
torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 23.65 GiB \
of which 1.12 GiB is free."""


class Planned(msgspec.Struct, frozen=True):
    """A run of the project; ``fate``: how it ends, or how it is."""

    name: str
    commit: int
    learning_rate: float
    hidden: int
    schedule: str
    message: str
    fate: str = "completed"


PROJECT: Final = (
    Planned("amber-vole", 0, 0.0008, 3, "constant", "Does it run at all"),
    Planned("bold-stoat", 0, 0.0016, 3, "constant", "Twice the rate"),
    Planned("calm-heron", 0, 0.0024, 4, "constant", "The baseline"),
    Planned("brisk-otter", 0, 0.0072, 4, "constant", "Three times the rate"),
    Planned("early-lark", 1, 0.012, 8, "constant", "", "interrupted"),
    Planned("grand-finch", 1, 0.08, 12, "constant", "How far can the rate go", "failed"),
    Planned("keen-mole", 1, 0.02, 12, "constant", "Wider"),
    Planned("quiet-seal", 4, 0.032, 24, "warm-up", "Warm-up, then cosine"),
    Planned("fuzzy-ibex", 4, 0.016, 24, "warm-up", "Half the rate", "silent"),
    Planned("proud-ibis", 4, 0.012, 24, "warm-up", "A third of it"),
    Planned("mellow-toad", 2, 0.012, 12, "cosine", "", "interrupted"),
    Planned("lucid-wren", 2, 0.024, 12, "cosine", "Cosine to the end"),
    Planned("noble-crane", 2, 0.04, 12, "cosine", "Cosine from higher up", "gaps"),
    Planned("jolly-newt", 3, 0.01, 16, "cosine", "Weights of the rare species", "behind"),
    Planned("eager-lynx", 3, 0.048, 16, "warm-up", "Warm-up with weights", "running"),
)
BEHIND_COMMIT: Final = next(one.commit for one in PROJECT if one.fate == "behind")
_COMMITS: Final = (
    ("Start from the baseline", 50),
    ("Wider hidden layer", 27),
    ("Cosine schedule", 9),
    ("Weigh the rare species", 3),
)


def project_repository(folder: Path) -> list[str]:
    """Make the project's clone with two branches; give the digits of its commits, the other branch's last."""
    repository = Repository(folder)
    repository.git("remote", "add", "origin", REPO_URL)
    made = []
    for message, hours_ago in _COMMITS:
        repository.time_s = int(time.time()) - hours_ago * 3600
        made.append(repository.commit(message))
    repository.git("checkout", "--quiet", "-b", "warm-up", made[1])
    repository.time_s = int(time.time()) - 4 * 3600
    made.append(repository.commit("Warm up before the schedule", author="Grace"))
    repository.git("checkout", "--quiet", "main")
    return made


async def fill_project(client: Client, commits: list[str], epochs: int = EPOCHS) -> None:
    """Post the project's runs as stock clients and our daemon do, the oldest first."""
    for place, planned in enumerate(PROJECT):
        await _post_run(client, planned, commits[planned.commit], place, epochs)


async def fill_one(client: Client) -> None:
    """Post one run that goes on."""
    await _post_run(client, msgspec.structs.replace(PROJECT[11], fate="running"), SHA, 11, EPOCHS)


async def fill_two(client: Client) -> None:
    """Post two that have ended, to compare."""
    for place in (2, 11):
        await _post_run(client, PROJECT[place], SHA, place, EPOCHS)


async def fill_many(client: Client, rows: int = 1_500, columns: int = 200) -> None:
    """Post so many runs with so many columns, metrics and params."""
    rng = random.Random(1)
    groups = columns // 10
    for number in range(rows):
        metrics = {f"group{group}": {f"metric{place}": rng.random() for place in range(8)} for group in range(groups)}
        params = {f"group{group}": {f"param{place}": rng.random() for place in range(2)} for group in range(groups)}
        sent: JsonObject = {"metrics": {"dvclive/metrics.json": {"data": metrics}}, "params": {"params.yaml": params}}
        await client.post(body("data", f"exp-{number:04d}", step=number, **sent))
        if number % 40:
            await client.post(body("done", f"exp-{number:04d}"))


# -- one run of the project


async def _post_run(client: Client, planned: Planned, sha: str, seed: int, epochs: int) -> None:
    ours = planned.fate in {"behind", "silent", "gaps"}
    writer = f"w{seed:023x}"
    numbers = iter(range(1, 1_000))

    async def post(kind: str, step: int | None = None, *, skip: int = 0, **more: Json) -> None:
        sent = body(kind, planned.name, step, **more) | {"baseline_sha": sha}
        if not ours:
            await client.post(sent)
            return
        for _ in range(skip):
            next(numbers)
        number = next(numbers)
        backlog = "4200,1900000,95" if planned.fate == "behind" else "0,0,0"
        headers = {"Livestream_Update": f"{writer}/{number}/{number}/1/1", "Livestream_Backlog": backlog}
        await client.post(sent | {"client": "livestream"}, **headers)

    params: JsonObject = {
        "optimizer": {
            "learning_rate": planned.learning_rate,
            "momentum": 0.9,
            "schedule": planned.schedule,
        },
        "model": {"hidden_units": planned.hidden, "activation": "tanh"},
        "seed": seed,
    }
    await post("start", params={"params.yaml": params}, message=planned.message)
    is_open = planned.fate in {"running", "behind", "silent"}
    short = {"failed": 0.3, "interrupted": 0.55, "behind": 0.6, "silent": 0.75}.get(planned.fate, 1.0)
    last = int(epochs * short) - 1 - (SHORT_EPOCHS if planned.fate == "running" else 0)
    metrics, plots = await asyncio.to_thread(_trained, planned, seed, last, epochs)
    await post("data", last, skip=7 if planned.fate == "gaps" else 0, metrics=metrics, plots=plots)
    if is_open:
        return
    ending: JsonObject = {
        "failed": {"errors": [{"cls": "torch.OutOfMemoryError", "text": TRACEBACK}]},
        "interrupted": {"errors": [{"cls": "livestream.Terminated", "text": "SIGTERM"}]},
    }
    await post("done", **ending.get(planned.fate, {}))


def _trained(planned: Planned, seed: int, last: int, epochs: int) -> tuple[JsonObject, JsonObject]:
    """Train up to an epoch; give metrics and plots of the body."""
    train, test = split(flowers())
    inputs, test_inputs = standardised(train, train), standardised(train, test)
    species, test_species = [one.species for one in train], [one.species for one in test]
    network = Network(len(FEATURES), planned.hidden, len(SPECIES), 1936 + seed)
    rng = random.Random(seed)
    began_ms = int((time.time() - 3_600) * 1_000) - (len(PROJECT) - seed) * 600_000
    rows: dict[str, list[Json]] = {}
    values: dict[str, float] = {}
    plots: JsonObject = {}
    for step in range(last + 1):
        rate = planned.learning_rate * _factor(planned.schedule, step / epochs)
        slope = network.descend(inputs, species, rate, 0.9)
        score, test_score = network.score(inputs, species), network.score(test_inputs, test_species)
        values = _values(score, test_score, slope, rate, rng)
        for name, value in values.items():
            row: JsonObject = {"step": step, "timestamp": began_ms + step * EPOCH_MS, name.rpartition("/")[2]: value}
            rows.setdefault(name, []).append(row)
        if step % PICTURES_EVERY == 0 or step == last:
            picture = base64.b64encode(draw_regions(network, test_inputs, test_species)).decode()
            plots[f"dvclive/plots/images/regions/{step}.png"] = {"image": picture}
            for path, plot in {
                "sklearn/confusion_matrix.json": confusion(test_score, test_species),
                "sklearn/roc.json": detection(test_score, test_species, SPECIES.index("virginica")),
            }.items():
                properties = {name: value for name, value in plot.items() if name != "data"}
                plots[f"dvclive/plots/{path}"] = {"data": plot["data"], "props": properties}
    for name, column in rows.items():
        plots[f"dvclive/plots/metrics/{name}.tsv"] = {"data": column}
    leaves: JsonObject = {"step": last}
    for name, value in values.items():
        *folders, leaf = name.split("/")
        inside = leaves
        for folder in folders:
            inside = inside.setdefault(folder, {})
        inside[leaf] = value
    return {"dvclive/metrics.json": {"data": leaves}}, plots


def _values(score: Score, test: Score, slope: float, rate: float, rng: random.Random) -> dict[str, float]:
    wobble = 1 + NOISE * rng.gauss(0, 1)
    return {
        "train/loss": score.loss * wobble,
        "train/accuracy": score.accuracy,
        "test/loss": test.loss * (1 + 2 * NOISE * rng.gauss(0, 1)),
        "test/accuracy": test.accuracy,
        "optimizer/gradient_norm": slope * wobble,
        "optimizer/learning_rate": rate,
        "system/cpu/usage (%)": min(100.0, 62 + 9 * rng.gauss(0, 1)),
        "system/ram/usage (%)": 41 + rng.random(),
    }


def _factor(schedule: str, share: float) -> float:
    """The share of the highest learning rate at a share of the training."""
    cosine = (1 + math.cos(math.pi * share)) / 2
    if schedule == "constant":
        return 1.0
    return cosine if schedule == "cosine" else min(1.0, share / 0.15) * cosine


@asynccontextmanager
async def beating(studio: OpenStudio, sha: str) -> AsyncIterator[None]:
    """Let the run that is behind tell, every second, that its queue shrinks."""
    place, planned = next((place, one) for place, one in enumerate(PROJECT) if one.fate == "behind")

    async def beat() -> None:
        for rows in range(4_200, 0, -12):
            told: JsonObject = {
                "repo_url": REPO_URL,
                "baseline_sha": sha,
                "name": planned.name,
                "writer": f"w{place:023x}",
            }
            told |= {"rows": rows, "bytes": rows * 450, "oldest_s": 95.0, "losses": {}}
            await studio.client("POST", "/api/live/beats", json={"beats": [told]})
            await asyncio.sleep(1)

    task = asyncio.create_task(beat())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


# -- a real node


class Node:
    """A machine that trains: a spool, a daemon, and a line to the Studio that can be cut."""

    def __init__(self, studio: OpenStudio, token: str, folder: Path) -> None:
        folder.mkdir()
        self.folder = folder
        self.link = Link(int(studio.url.rpartition(":")[2]))
        self.environ = studio_environment(folder) | {
            "LIVESTREAM_SPOOL": str(folder / "spool"),
            "LIVESTREAM_DAEMON": "off",
            "XDG_RUNTIME_DIR": str(folder),
            "XDG_CONFIG_DIRS": str(folder / "system"),
            "DVC_STUDIO_URL": self.link.url,
            "DVC_STUDIO_TOKEN": token,
            "DVC_STUDIO_REPO_URL": REPO_URL,
            "DVC_EXP_BASELINE_REV": SHA,
        }
        self._programs: list[Leashed] = []
        self._programs.append(self._start("livestream", "daemon", str(folder / "spool")))

    def train(self, plan: Plan) -> Leashed:
        """Start a training."""
        record = self.folder / f"{plan.name}.record"
        started = self._start("livestream.demo.training", msgspec.json.encode(plan).decode(), str(record))
        self._programs.append(started)
        return started

    def _start(self, module: str, *arguments: str) -> Leashed:
        log = self.folder / f"{len(self._programs)}.log"
        return Leashed(module, *arguments, log=log, environ=self.environ)

    def close(self) -> None:
        """End what runs here."""
        for program in reversed(self._programs):
            program.end(5.0)
        self.link.close()


@contextmanager
def node_of(studio: OpenStudio, token: str, folder: Path) -> Iterator[Node]:
    """Run a node beside a Studio."""
    node = Node(studio, token, folder)
    try:
        yield node
    finally:
        node.close()


def plan(name: str, message: str, epochs: int, epoch_s: float = 0.05) -> Plan:
    """Give a training of the demo."""
    return Plan(name=name, message=message, learning_rate=0.2, hidden_units=8, epochs=epochs, epoch_s=epoch_s)


async def seen(studio: OpenStudio, name: str) -> JsonObject:
    """Give what the read API tells of an experiment; empty while there is none."""
    found = (await studio.client.get("/api/experiments"))["experiments"]
    return next((one for one in found if one["name"] == name), {})


async def until_told(studio: OpenStudio, name: str, holds: Callable[[JsonObject], bool]) -> None:
    """Wait until something holds for what is told of an experiment."""
    deadline = time.monotonic() + WAIT_S
    while not ((told := await seen(studio, name)) and holds(told)):
        assert time.monotonic() < deadline, told
        await asyncio.sleep(0.05)


async def kill_one(studio: OpenStudio, node: Node) -> None:
    """Train twice; kill one training by SIGKILL, and wait until its row says Failed."""
    trained = {name: node.train(plan(name, message, 4_000)) for name, message in KILLED.items()}
    for name in trained:
        await until_told(studio, name, lambda told: (told["step"] or 0) >= STEPS_BEFORE)
    trained["night-run"].kill()
    await until_told(studio, "night-run", lambda told: told["status"]["kind"] == "failed")


async def cut_line(studio: OpenStudio, node: Node) -> None:
    """Train, cut the line until something waits, let a word of the backlog through, and cut it again."""
    for name in CUT:
        node.train(plan(name, "On a train with a bad network", 20_000, 0.02))
    for name in CUT:
        await until_told(studio, name, lambda told: (told["step"] or 0) >= STEPS_BEFORE)
    node.link.break_()
    await asyncio.sleep(CUT_S)
    node.link.mend()
    await until_told(studio, CUT[0], lambda told: told["delivery"]["behind_s"] > CUT_S / 2)
    node.link.break_()
