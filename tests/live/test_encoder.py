from __future__ import annotations

import logging
import os
import threading
import weakref
from pathlib import Path

import numpy as np
import pytest
from encoder_cases import SCRIPT, Story, Watched, noise, until
from PIL import Image
from training_cases import run, small_disk, succeed

from livestream.images import Pixels
from livestream.live import encoder, images
from livestream.live.encoder import Encoder


@pytest.fixture
def story() -> Story:
    return Story()


def threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "livestream-images"]


def test_files_are_there_when_the_wait_is_over_and_are_what_pillow_saves(tmp_path: Path) -> None:
    writer = Encoder()
    arrays = {f"{number % 5}/{number}.png": noise(number, 40, 30, 3) for number in range(100)}
    for name, array in arrays.items():
        writer.put(images.take(name, array), str(tmp_path / "images" / name))
    assert writer.wait()

    for name, array in arrays.items():
        Image.fromarray(array).save(tmp_path / "expected.png")
        assert (tmp_path / "images" / name).read_bytes() == (tmp_path / "expected.png").read_bytes()
    assert writer.failed == 0
    assert sum(len(files) for _, _, files in os.walk(tmp_path / "images")) == 100


def test_the_caller_does_not_wait_and_the_order_is_kept(story: Story) -> None:
    writer = Encoder()
    story.hold(writer)
    for number in range(encoder.MAX_PICTURES):
        writer.put(story.picture(), f"{number}")
    assert story.log == []
    assert not writer.wait(0.001)
    story.gate.set()

    until(lambda: len(story.log) == 1 + encoder.MAX_PICTURES)
    assert story.written == ["held first", *(f"{number} " for number in range(encoder.MAX_PICTURES))]
    assert story.writers == {"livestream-images"}
    assert writer.wait(0)


def test_of_a_path_only_the_newest_is_written_and_in_the_place_of_the_oldest(story: Story) -> None:
    writer = Encoder()
    story.hold(writer)
    for step in range(500):
        writer.put(story.picture(f"{step}", size=2**20), "same")
        writer.put(story.picture(), "other")
    story.gate.set()
    writer.wait()

    assert sorted(story.written) == ["held first", "other ", "same 499"]
    assert story.writers <= {"livestream-images", "MainThread"}


def test_beyond_the_count_the_caller_writes_the_oldest_itself(story: Story) -> None:
    writer = Encoder(max_pictures=3)
    story.hold(writer)
    for number in range(8):
        writer.put(story.picture(), f"{number}")

    assert story.log == [(f"{number} ", "MainThread") for number in range(5)]
    story.gate.set()
    writer.wait()
    assert sorted(story.written[-4:]) == ["5 ", "6 ", "7 ", "held first"]


def test_beyond_the_bytes_the_caller_writes_the_oldest_itself(story: Story) -> None:
    writer = Encoder(max_bytes=1000)
    story.hold(writer, size=400)  # what is being written is in memory, too
    for number in range(5):
        writer.put(story.picture(size=300), f"{number}")

    assert story.log == [(f"{number} ", "MainThread") for number in range(3)]
    story.gate.set()
    writer.wait()


def test_a_picture_that_is_larger_than_all_that_may_wait_is_written_by_its_caller(story: Story) -> None:
    writer = Encoder(max_bytes=1000)
    story.hold(writer)
    writer.put(story.picture(size=5000), "huge")
    writer.put(story.picture(size=900), "small")

    assert story.log == [("huge ", "MainThread")]
    story.gate.set()
    writer.wait()


def test_many_quick_pictures_never_wait_in_greater_number_than_allowed(story: Story) -> None:
    writer = Encoder(max_pictures=8)
    most = 0
    for number in range(3000):
        writer.put(story.picture(), f"{number}")
        most = max(most, number + 1 - len(story.log))
    writer.wait()

    assert most <= 8 + 1
    assert sorted(story.written) == sorted(f"{number} " for number in range(3000))


def test_no_path_is_written_by_two_threads_at_once(story: Story) -> None:
    writer = Encoder(max_pictures=1)
    story.hold(writer, "same")
    writer.put(story.picture("second"), "same")
    writer.put(story.picture(), "other")  # one too many: the caller takes what nobody is writing
    assert story.log == [("other ", "MainThread")]
    story.gate.set()
    writer.wait()

    assert story.written == ["other ", "same first", "same second"]


def test_pictures_of_many_threads_are_all_written(tmp_path: Path) -> None:
    writer = Encoder(max_pictures=4)

    def train(rank: int) -> None:
        for step in range(40):
            writer.put(images.take("x.png", noise(step, 8, 8)), str(tmp_path / f"{rank}" / f"{step % 20}.png"))

    trainings = [threading.Thread(target=train, args=(rank,)) for rank in range(8)]
    for training in trainings:
        training.start()
    for training in trainings:
        training.join()
    writer.wait()

    for rank in range(8):
        for step in range(20):
            found = np.asarray(Image.open(tmp_path / f"{rank}" / f"{step}.png"))
            assert np.array_equal(found, noise(step + 20, 8, 8))


def test_a_reader_finds_whole_images_only(tmp_path: Path) -> None:
    writer = Encoder()
    path = tmp_path / "images" / "a.png"
    writer.put(images.take("a.png", noise(0, 64, 64, 3)), str(path))
    writer.wait()
    for step in range(200):
        writer.put(images.take("a.png", noise(step, 64, 64, 3)), str(path))
        with Image.open(path) as image:
            image.load()
    writer.wait()

    assert np.array_equal(np.asarray(Image.open(path)), noise(199, 64, 64, 3))
    assert os.listdir(path.parent) == ["a.png"]


def test_one_thread_works_and_ends_when_nothing_comes(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    before = threads()
    writer = Encoder()
    assert threads() == before
    story.hold(writer)
    for number in range(20):
        writer.put(story.picture(), f"{number}")
    (thread,) = set(threads()) - set(before)
    assert thread.daemon
    monkeypatch.setattr(encoder, "IDLE_S", 0.01)
    story.gate.set()
    writer.wait()
    thread.join(30)
    assert not thread.is_alive()

    writer.put(story.picture(), "again")
    assert writer.wait(30)
    assert story.log[-1] == ("again ", "livestream-images")


def test_an_encoder_that_nobody_holds_is_gone() -> None:
    writer = Encoder()
    seen = weakref.ref(writer)
    del writer

    assert seen() is None


def test_where_no_thread_can_be_had_the_caller_writes(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    writer = Encoder()
    writer.put(story.picture(), "a")
    assert story.log == [("a ", "MainThread")]
    assert writer.wait()


def test_what_is_dropped_is_never_written_and_nothing_is_when_the_drop_is_over(story: Story) -> None:
    writer = Encoder()
    story.hold(writer)
    for path in ("held", "a", "b"):
        writer.put(story.picture("dropped"), path)
    dropping = threading.Thread(target=writer.drop)
    dropping.start()
    until(lambda: not writer._waiting)
    dropping.join(0.05)
    assert dropping.is_alive()
    assert story.log == []
    story.gate.set()
    dropping.join(30)

    assert story.written == ["held first"]
    assert writer.wait(0)
    writer.put(story.picture("later"), "a")
    assert writer.wait(30)
    assert story.written == ["held first", "a later"]


def test_what_is_dropped_while_a_caller_writes_is_over_for_the_caller_too(story: Story) -> None:
    class Dropping(Watched, frozen=True, kw_only=True):
        def save(self, path: str) -> None:
            writer.drop()  # as a signal's handler would
            super().save(path)

    writer = Encoder()
    writer.forget()
    pixels = Pixels("png", b"1")
    for path in ("a", "b"):
        writer._waiting[path] = Dropping(name="", pixels=pixels, saved=pixels, format="PNG", log=story.log)
    assert writer.wait(30)

    assert story.written == ["a "]


def test_failures_are_counted_and_the_first_is_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").write_text("")
    writer = Encoder()
    for number in range(3):
        writer.put(images.take("a.png", noise(0, 4, 4)), str(tmp_path / "file" / f"{number}.png"))
    writer.put(images.take("a.png", noise(0, 4, 4)), str(tmp_path / "fine.png"))
    writer.wait()

    assert writer.failed == 3
    assert (tmp_path / "fine.png").exists()
    (record,) = caplog.records
    assert (record.name, record.levelno, record.message) == (
        "livestream",
        logging.ERROR,
        "livestream.live_file_not_written",
    )
    assert vars(record)["file"] in {str(tmp_path / "file" / f"{number}.png") for number in range(3)}


def test_a_full_disk_keeps_what_was_written_and_the_training_goes_on() -> None:
    with small_disk("1m") as disk:
        writer = Encoder()
        for number in range(20):
            writer.put(images.take("a.png", noise(number, 256, 256, 3)), str(disk / f"{number}.png"))
        writer.wait()
        names = os.listdir(disk)
        assert 0 < len(names) == 20 - writer.failed
        writer.put(images.take("a.png", noise(99, 300, 300, 3)), str(disk / names[0]))
        writer.wait()

        assert len(names) == 21 - writer.failed
        assert sorted(os.listdir(disk)) == sorted(names)
        for name in names:
            found = np.asarray(Image.open(disk / name))
            assert np.array_equal(found, noise(int(name.removesuffix(".png")), 256, 256, 3))


def test_a_process_that_just_ends_has_written_all(environ: dict[str, str], tmp_path: Path) -> None:
    succeed(SCRIPT + "writer = Encoder()\nfor i in range(40): put(writer, i, i)", environ, tmp_path / "images")

    for number in range(40):
        found = np.asarray(Image.open(tmp_path / "images" / f"{number}.png"))
        assert np.array_equal(found, noise(number, 256, 256, 3))


def test_a_killed_process_leaves_whole_images_and_one_temporary_file_at_most(
    environ: dict[str, str], tmp_path: Path
) -> None:
    folder = tmp_path / "images"
    source = """
writer = Encoder()
for i in range(40): put(writer, i, i)
while not os.path.exists(f"{folder}/5.png"): pass
os.kill(os.getpid(), signal.SIGKILL)
"""
    assert run(SCRIPT + source, environ, folder).returncode == -9
    names = os.listdir(folder)
    whole = [name for name in names if not name.startswith(".")]
    for name in whole:
        with Image.open(folder / name) as image:
            image.load()

    assert len(names) - len(whole) <= 1
    assert {f"{number}.png" for number in range(6)} <= set(whole)


def test_a_disk_that_hangs_does_not_keep_the_process(environ: dict[str, str], tmp_path: Path) -> None:
    source = """
class Hanging(Picture, frozen=True):
    def save(self, path):
        threading.Event().wait()
encoder.EXIT_WAIT_S = 0.05
taken = images.take("a.png", np.zeros((2, 2), dtype=np.uint8))
writers = [Encoder() for _ in range(3)]
for writer in writers:
    writer.put(Hanging(taken.name, taken.pixels, taken.saved, taken.format), "a")
print("ended", flush=True)
"""
    assert succeed(SCRIPT + source, environ, tmp_path) == "ended\n"
