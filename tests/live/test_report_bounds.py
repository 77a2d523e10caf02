from __future__ import annotations

import math
import re
from pathlib import Path

import pytest
from PIL import Image
from report_cases import DIRECTORY, drawn, event, write_history, write_plot

from livestream.live.report import Report, open_report
from livestream.live.report import gallery as gallery_module
from livestream.live.report import plots as plots_module
from livestream.live.report.scalars import MAX_ROWS, Scalars
from livestream.live.report.series import SMALLEST, Series


@pytest.fixture(autouse=True)
def in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def report() -> Report:
    Path(DIRECTORY).mkdir()
    return open_report("html", DIRECTORY)


def picture(shade: int) -> Image.Image:
    return Image.new("RGB", (4, 4), (shade, 0, 0))


def test_a_series_below_the_bound_is_kept_whole() -> None:
    scalars = Scalars()
    for step in range(MAX_ROWS // 2):
        scalars.add("a", step, step, None)
        scalars.add("b", step, step, None)
    write_history("a")
    write_history("b")

    kept = dict(scalars.series(f"{DIRECTORY}/plots/metrics"))

    assert {name: len(series) for name, series in kept.items()} == {"a": MAX_ROWS // 2, "b": MAX_ROWS // 2}


@pytest.mark.parametrize("metrics", [1, 7, 100])
def test_above_the_bound_each_metric_keeps_an_even_selection_with_its_extremes(
    metrics: int, caplog: pytest.LogCaptureFixture
) -> None:
    bound, steps = 2_000, 60_000 // metrics
    scalars = Scalars(max_rows=bound)
    names = [f"m{place}" for place in range(metrics)]
    most = 0
    for step in range(steps):
        for name in names:
            value = 1e6 if step == 12 else -1e6 if step == steps // 2 else math.sin(step / steps * 20)
            scalars.add(name, step, value, None)
            most = max(most, scalars._rows)
    assert scalars._rows == sum(len(series) for series in scalars._series.values())
    for name in names:
        write_history(name)

    for name, series in scalars.series(f"{DIRECTORY}/plots/metrics"):
        shown = [int(step) for step, _ in series.rows()]
        values = [float(value) for _, value in series.rows()]
        gap = 4 * series.bucket_rows
        assert name in names
        assert (max(values), min(values)) == (1e6, -1e6)
        assert shown == sorted(set(shown))
        assert shown[-1] == steps - 1
        assert max(after - step for step, after in zip([0, *shown], shown, strict=False)) <= gap
        assert len(shown) >= bound / metrics / 4 - 2
    assert most <= bound + 1
    assert [event(record) for record in caplog.records] == ["livestream.report_is_thinned"]


def test_more_metrics_than_rows_in_the_bound_keep_a_few_rows_each() -> None:
    scalars = Scalars(max_rows=100)
    for step in range(1_000):
        for place in range(50):
            scalars.add(f"m{place}", step, step, None)

    assert max(len(series) for series in scalars._series.values()) <= 2 * SMALLEST
    assert all(series.rows()[-1] == ("999", "999") for series in scalars._series.values())


@pytest.mark.parametrize("value", ["text", "nan", "inf"])
def test_what_is_no_number_is_thinned_too_and_numbers_are_kept_before_it(value: str) -> None:
    texts, mixed = (Series(("step", "m"), "m") for _ in range(2))
    for step in range(1_000):
        texts.append((str(step), value))
        mixed.append((str(step), "5" if step == 500 else value))
        for series in (texts, mixed):
            if len(series) > 100:
                series.halve()

    assert len(texts) <= 100
    assert ("999", value) in texts.rows()
    assert ("500", "5") in mixed.rows()


def test_a_loaded_history_is_thinned_as_it_comes_in(caplog: pytest.LogCaptureFixture) -> None:
    folder = Path(DIRECTORY, "plots", "metrics")
    folder.mkdir(parents=True)
    lines = "".join(f"{step}\t{step}\n" for step in range(5_000))
    (folder / "m.tsv").write_text(f"step\tm\n{lines}")
    (folder / "empty.tsv").touch()
    scalars = Scalars(max_rows=1_000)

    scalars.load(str(folder))

    ((_, series),) = scalars.series(str(folder))
    assert 200 <= len(series) <= 1_000
    assert series.rows()[-1] == ("4999", "4999")
    assert len(caplog.records) == 1


def test_the_oldest_images_are_left_out_where_they_are_too_many(
    report: Report, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(gallery_module, "MAX_IMAGES", 3)
    for step in range(6):
        path = Path(DIRECTORY, f"{step}.png")
        picture(step).save(path)
        report.image(path.name, str(path))
    report.image("3.png", f"{DIRECTORY}/3.png")

    report.make(now=True)

    assert shown_images() == ["3.png", "4.png", "5.png"]
    assert [event(record) for record in caplog.records] == ["livestream.report_leaves_out_images"]


def test_the_oldest_images_are_left_out_where_they_are_too_big(report: Report, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = []
    for step in range(4):
        path = Path(DIRECTORY, f"{step}.png")
        picture(step).save(path)
        sizes.append(path.stat().st_size)
        report.image(path.name, str(path))
    monkeypatch.setattr(gallery_module, "MAX_IMAGE_BYTES", sum(sizes[2:]))

    report.make(now=True)

    assert shown_images() == ["2.png", "3.png"]


def shown_images() -> list[str]:
    return re.findall(r"<p>(\S+)</p>\s*<img", drawn()["report.html"].decode())


def test_the_oldest_plots_are_left_out_where_their_rows_are_too_many(
    report: Report, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(plots_module, "MAX_PLOT_ROWS", 10)
    for place in range(5):
        write_plot(f"p{place}")
        report.plot("custom", f"p{place}", {"x": "x", "y": "x"}, [{"x": n} for n in range(4)])
    report.plot("custom", "p3", {"x": "x", "y": "x"}, [{"x": 0}])

    report.make(now=True)

    shown = re.findall(r'<div id = "(p\d)"', drawn()["report.html"].decode())
    assert sorted(shown) == ["p3", "p4"]
    assert [event(record) for record in caplog.records] == ["livestream.report_leaves_out_plots"]


def test_the_rows_of_a_plot_stay_as_they_were_given(report: Report) -> None:
    rows = [{"x": 1, "y": 2, "filename": "f", "field": "g"}]
    write_plot("p")
    report.plot("custom", "p", {"x": "x", "y": "y"}, rows)

    report.make(now=True)

    assert rows == [{"x": 1, "y": 2, "filename": "f", "field": "g"}]
