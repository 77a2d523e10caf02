from __future__ import annotations

import datetime as dt
import json
import math
import os
import re
import time
import warnings
from collections import OrderedDict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal
from unittest import mock

import numpy as np
import pytest
from dvclive.live import Live as DvcLive
from matplotlib import pyplot as plt
from PIL import Image
from report_cases import DIRECTORY, drawn, event, write_history, write_plot

from livestream.live.metrics import check_value
from livestream.live.plots import plain_rows, rows_of
from livestream.live.report import Report, open_report
from livestream.live.report.report import MIN_PAUSE_S, PAUSE_FACTOR

NOW_MS = 1_700_000_000_500


class Pair:
    """A run that DVCLive writes and draws, and our report of the same news over the same folder."""

    def __init__(self, mode: Literal["html", "md"]) -> None:
        self.mode = mode
        self.theirs: Any = DvcLive(DIRECTORY, report=mode, save_dvc_exp=False, dvcyaml=None)
        self.ours = open_report(mode, DIRECTORY)

    def metric(self, name: str, value: Any, *, timestamp: bool = False) -> None:
        with mock.patch.object(time, "time", return_value=NOW_MS / 1000):
            self.theirs.log_metric(name, value, timestamp=timestamp)
        timestamp_ms = NOW_MS if timestamp else None
        self.ours.row(name, self.theirs.step, check_value(name, value), timestamp_ms)

    def params(self, values: dict[str, Any]) -> None:
        self.theirs.log_params(values)
        self.ours.params()

    def image(self, name: str, image: Image.Image) -> None:
        self.theirs.log_image(name, image)
        self.ours.image(name, f"{DIRECTORY}/plots/images/{name}")

    def plot(self, name: str, rows: Any, x: str, y: str, **config: Any) -> None:
        self.theirs.log_plot(name, rows, x, y, **config)
        plot = self.theirs._plots[name]
        self.ours.plot("custom", plot.name, plot.plot_config, plain_rows(rows_of(rows)))

    def sklearn(self, kind: str, labels: list[int], predictions: list[float], **options: Any) -> None:
        self.theirs.log_sklearn_plot(kind, labels, predictions, **options)
        name = options.get("name", kind)
        rows = plots_rows(Path(f"{DIRECTORY}/plots/sklearn/{name}.json"))
        self.ours.plot("sklearn", name, self.theirs._plots[name].plot_config, rows)

    def next_step(self) -> None:
        self.theirs.step += 1  # without a report in each step, which is why there is ours

    def summarize(self) -> None:
        self.theirs.make_summary()
        self.ours.summary(self.theirs.summary)

    def pages(self) -> tuple[dict[str, bytes], dict[str, bytes]]:
        """Draw both, theirs first, and give what each wrote, by file."""
        self.summarize()
        with warnings.catch_warnings():  # dvc-render warns of each chart that Markdown cannot have
            warnings.simplefilter("ignore")
            self.theirs.make_report()
        theirs = drawn()
        for path in drawn():
            (Path(DIRECTORY) / path).unlink()
        self.ours.make(now=True)
        return theirs, drawn()


def plots_rows(file: Path) -> list[dict[str, Any]]:
    content = json.loads(file.read_text())
    rows: list[dict[str, Any]] = content if isinstance(content, list) else next(iter(content.values()))
    return rows


@pytest.fixture(autouse=True)
def in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    yield
    plt.close("all")


def picture(shade: int) -> Image.Image:
    return Image.new("RGB", (4, 4), (shade, 0, 0))


def numbers(pair: Pair) -> None:
    names = ("loss", "train/acc", "my metrics/of metrics", "deep/er/and/deeper", "a.b")
    for step in range(5):
        for place, name in enumerate(names):
            pair.metric(name, step * 0.1 + place)
        pair.metric("numpy", np.float32(step / 3))
        pair.metric("big", 2**70 + step)
        pair.metric("timed", step, timestamp=True)
        pair.next_step()


def params(pair: Pair) -> None:
    nested = {"optimizer": OrderedDict(lr=1e-05, betas=(0.9, 0.999)), "layers": [1, [2, 3]], "none": None}
    texts = {"number": "0.10", "yes": "yes", "long": "word " * 40, "signs": "<b>|&é\n", "empty": ""}
    rest = {"big": 10**20, "nan": math.nan, "inf": -math.inf, "on": True, "day": dt.date(2026, 1, 2), "none": {}}
    pair.params(nested)
    pair.params(texts)
    pair.params(rest)


def summary(pair: Pair) -> None:
    edits: dict[Any, Any] = {
        "best": {"acc": 0.9, "at": 3},
        "flag": True,
        "text": "0.50",
        "none": None,
        "list": [1, (2, 3)],
        7: "seven",
    }
    pair.theirs.summary |= edits | {"numpy": np.float64(0.1), "nan": math.nan, "inf": math.inf}


def images(pair: Pair) -> None:
    for name in ("b.png", "a.jpg", "c.gif", "d.jpeg", "a-b/1.png", *(f"a/{step}.png" for step in range(12))):
        pair.image(name, picture(len(name)))


def custom(pair: Pair) -> None:
    rows = [{"x": step, "y": step**2, "text": f"<{step}>"} for step in range(4)]
    pair.plot("squares", rows, "x", "y")
    pair.plot("nested/titled", rows, "x", "y", template="linear", title="Squares", x_label="X", y_label="Y")
    pair.plot("no_template", np.array([[1.0, 2.0], [3.0, 4.0]]), "0", "1", template=None)


def other_templates(pair: Pair) -> None:
    rows = [{"x": step, "y": step**2} for step in range(4)]
    for template in ("scatter", "smooth", "bar_horizontal", "simple"):
        pair.plot(template, rows, "x", "y", template=template)
    labels, scores = [0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]
    for kind in ("calibration", "det", "precision_recall"):
        pair.sklearn(kind, labels, scores)
    pair.sklearn("confusion_matrix", labels, [0, 1, 1, 1], name="cm", normalized=True)
    pair.sklearn("confusion_matrix", labels, [0, 1, 1, 1], title="Confused")


def everything(pair: Pair) -> None:
    for program in (params, numbers, summary, images, custom, other_templates):
        program(pair)


def nothing(pair: Pair) -> None:
    del pair


def empty(pair: Pair) -> None:
    pair.params({})


PROGRAMS = (nothing, empty, numbers, params, summary, images, custom, other_templates, everything)


@pytest.mark.parametrize("mode", ["html", "md"])
@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.__name__)
def test_the_report_is_dvclives_byte_for_byte(program: Callable[[Pair], None], mode: Literal["html", "md"]) -> None:
    pair = Pair(mode)
    program(pair)

    theirs, ours = pair.pages()

    assert sorted(ours) == sorted(theirs)
    assert f"report.{mode}" in ours
    assert ours == theirs


def test_columns_that_a_metric_takes_are_shown_as_dvclive_shows_them() -> None:
    pair = Pair("html")
    for name in ("timestamp", "rev", "field", "filename", "step"):
        pair.metric(name, 1.5)
    pair.metric("in/timestamp", 2.5, timestamp=True)
    pair.metric("late", 0.5)
    pair.metric("late", 0.25, timestamp=True)  # more columns than the header
    pair.metric("early", 0.5, timestamp=True)
    pair.metric("early", 0.25)  # fewer

    theirs, ours = pair.pages()

    assert ours == theirs


def test_texts_and_what_is_not_finite_are_shown_as_dvclive_shows_them() -> None:
    pair = Pair("html")
    for value in (math.nan, math.inf, -math.inf, "warm\tup", 'a "quoted"\nline', "", "é", True):
        pair.metric("phase", value)
        pair.next_step()

    theirs, ours = pair.pages()

    assert ours == theirs


@pytest.mark.parametrize("mode", ["html", "md"])
def test_what_dvc_render_draws_is_the_same_each_time(mode: Literal["html", "md"]) -> None:
    pair = Pair(mode)
    everything(pair)
    theirs, first = pair.pages()

    pair.ours.make(now=True)

    assert drawn() == first == theirs
    assert mode == "html" or sum(path.endswith(".png") for path in first) == 8


def test_histories_stand_in_the_order_in_which_the_file_system_lists_them() -> None:
    pair = Pair("html")
    names = [f"m{place}" for place in range(30)]
    for name in names:
        pair.metric(name, 1)
    _, ours = pair.pages()

    titles = re.findall(r'"title": \{"text": "(m\d+)"', ours["report.html"].decode())

    folder = Path(DIRECTORY, "plots", "metrics")
    assert titles == [path.stem for path in folder.rglob("*.tsv")]
    assert sorted(titles) == sorted(names)


# -- resume


@pytest.mark.parametrize("mode", ["html", "md"])
def test_a_resumed_run_shows_what_the_folder_held(mode: Literal["html", "md"]) -> None:
    before = Pair(mode)
    for program in (params, numbers, summary, images):
        program(before)
    theirs, _ = before.pages()

    resumed = open_report(mode, DIRECTORY)
    resumed.load()
    resumed.make(now=True)

    assert drawn() == theirs


def test_rows_go_on_after_those_that_were_loaded() -> None:
    pair = Pair("html")
    numbers(pair)
    pair.ours = open_report("html", DIRECTORY)
    pair.ours.load()
    numbers(pair)

    theirs, ours = pair.pages()

    assert ours == theirs


def test_a_folder_that_holds_nonsense_is_said_and_the_rest_is_shown(caplog: pytest.LogCaptureFixture) -> None:
    Path(DIRECTORY).mkdir()
    Path(DIRECTORY, "metrics.json").write_text("{nonsense")
    Path(DIRECTORY, "params.yaml").write_text("{nonsense")
    report = open_report("html", DIRECTORY)

    report.load()
    report.row("loss", 0, 0.5, None)
    write_history("loss")
    report.make(now=True)

    assert parts_left_out(caplog) == [DIRECTORY, "params.yaml"]
    assert b'"loss": "0.5"' in drawn()["report.html"]


# -- what DVCLive fails at


@pytest.fixture
def report() -> Report:
    Path(DIRECTORY).mkdir()
    return open_report("html", DIRECTORY)


def parts_left_out(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [vars(record)["part"] for record in caplog.records if event(record) == "livestream.report_part_not_shown"]


def test_a_plot_that_cannot_be_drawn_is_left_out_and_said_once(
    report: Report, caplog: pytest.LogCaptureFixture
) -> None:
    for name, config in (("good", {"x": "x", "y": "y"}), ("bad", {"x": "x", "y": "z"}), ("ugly", {"template": "none"})):
        report.plot("custom", name, config, [{"x": 1, "y": 2}])
        write_plot(name)
    write_history("loss")
    report.row("loss", 0, 0.5, None)

    report.make(now=True)
    report.make(now=True)

    page = drawn()["report.html"].decode()
    assert ('id = "good"' in page, 'id = "static_loss"' in page) == (True, True)
    assert sorted(parts_left_out(caplog)) == ["bad", "ugly"]


def test_markdown_leaves_out_what_it_has_no_charts_of_and_warns_once(caplog: pytest.LogCaptureFixture) -> None:
    pair = Pair("md")
    other_templates(pair)
    pair.metric("phase", "warmup")  # which ends DVCLive's run
    pair.ours.make(now=True)
    pair.ours.make(now=True)

    left_out = parts_left_out(caplog)

    assert len(left_out) == len(set(left_out))
    kinds = {"calibration", "det", "precision_recall", "cm", "confusion_matrix"}
    assert set(left_out) == {"phase", "scatter", "bar_horizontal", "simple", "smooth"} | kinds


def test_a_folder_of_images_with_numbers_and_names_is_shown(report: Report) -> None:
    images_folder = Path(DIRECTORY, "plots", "images", "s")
    images_folder.mkdir(parents=True)
    for name in ("10.png", "9.png", "best.png", "02.png"):
        picture(1).save(images_folder / name)
        report.image(f"s/{name}", str(images_folder / name))

    report.make(now=True)

    titles = re.findall(r"<p>s/(\S+)</p>\s*<img", drawn()["report.html"].decode())
    assert titles == ["02.png", "9.png", "10.png", "best.png"]


def test_an_image_that_is_not_there_yet_is_left_to_the_next_page(
    report: Report, caplog: pytest.LogCaptureFixture
) -> None:
    path = Path(DIRECTORY, "late.png")
    report.image("late.png", str(path))
    report.make(now=True)
    without = drawn()["report.html"]
    picture(1).save(path)
    report.make(now=True)

    assert b"late.png" not in without
    assert b"late.png" in drawn()["report.html"]
    assert caplog.records == []


def test_a_users_figure_is_left_alone_and_stays_the_present_one() -> None:
    pair = Pair("md")
    numbers(pair)
    figure, axes = plt.subplots()
    axes.plot([1, 2], [3, 4])
    axes.set_title("mine")

    pair.ours.make(now=True)

    assert plt.get_fignums() == [figure.number]
    assert plt.gcf() is figure
    assert (axes.get_title(), len(axes.lines)) == ("mine", 1)


def test_a_folder_that_cannot_be_written_is_said_once_and_stops_nothing(
    report: Report, caplog: pytest.LogCaptureFixture
) -> None:
    Path(DIRECTORY, "report.html").mkdir()

    report.make(now=True)
    report.make(now=True)

    assert [event(record) for record in caplog.records] == ["livestream.live_file_not_written"]


def test_a_report_that_cannot_be_made_is_said_once_and_stops_nothing(
    report: Report, caplog: pytest.LogCaptureFixture
) -> None:
    Path(DIRECTORY).rmdir()
    Path(DIRECTORY).touch()

    report.make(now=True)
    report.make(now=True)

    assert [event(record) for record in caplog.records] == ["livestream.report_not_made"]


def test_readers_never_see_half_a_page(report: Report) -> None:
    page = Path(DIRECTORY, "report.html")
    report.make(now=True)
    with page.open("rb") as reader:
        report.row("loss", 0, 1.5, None)
        write_history("loss")
        report.make(now=True)
        old = reader.read()

    assert (old.endswith(b"</html>"), page.read_bytes().endswith(b"</html>")) == (True, True)
    assert (b"1.5" in old, b'"1.5"' in page.read_bytes()) == (False, True)
    assert sorted(os.listdir(DIRECTORY)) == ["plots", "report.html"]


# -- how often


class Clock:
    """Time that passes only where a test says so, and with each drawing."""

    def __init__(self, drawing_s: float) -> None:
        self.now_s = 100.0
        self._drawing_s = drawing_s
        self._drawing = False

    def __call__(self) -> float:
        self._drawing = not self._drawing
        if not self._drawing:
            self.now_s += self._drawing_s
        return self.now_s

    def pass_s(self, seconds: float) -> None:
        self.now_s += seconds
        self._drawing = False


@pytest.mark.parametrize(("drawing_s", "pause_s"), [(0.0, MIN_PAUSE_S), (0.1, MIN_PAUSE_S), (3.0, 3 * PAUSE_FACTOR)])
def test_drawing_takes_one_part_in_21_of_the_time_and_never_two_in_5_seconds(drawing_s: float, pause_s: float) -> None:
    Path(DIRECTORY).mkdir()
    clock = Clock(drawing_s)
    report = Report("html", DIRECTORY, clock=clock)
    page = Path(DIRECTORY, "report.html")

    report.make(now=False)
    assert page.exists()
    page.unlink()
    clock.pass_s(pause_s - 0.01)
    report.make(now=False)
    assert not page.exists()
    clock.pass_s(0.02)
    report.make(now=False)
    assert page.exists()


def test_a_report_that_is_asked_for_is_drawn_at_once(report: Report) -> None:
    page = Path(DIRECTORY, "report.html")
    for _ in range(3):
        report.make(now=True)
        assert page.exists()
        page.unlink()
    report.make(now=False)
    assert not page.exists()


def test_a_signals_handler_that_ends_the_run_in_the_middle_of_a_drawing_draws_nothing_itself(report: Report) -> None:
    drawings = []

    class Summary(dict[str, Any]):
        def items(self) -> Any:
            drawings.append(1)
            report.make(now=True)
            return super().items()

    report.summary(Summary(a=1))
    report.make(now=True)

    assert len(drawings) == 1
    assert b"<td" in drawn()["report.html"]
