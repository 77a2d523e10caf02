"""The encoder where a call is interrupted: by a fork, by an exception, by a signal's handler."""

from __future__ import annotations

import dis
import inspect
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import pytest
from encoder_cases import SCRIPT, Interrupted, Story, noise, until
from PIL import Image
from training_cases import succeed

from livestream.images import Pixels
from livestream.live import encoder
from livestream.live.encoder import Encoder


@pytest.fixture
def story() -> Story:
    return Story()


def test_what_a_caller_was_interrupted_in_is_written_all_the_same(story: Story) -> None:
    writer = Encoder(max_pictures=1)
    story.hold(writer)
    tries: list[str] = []
    pixels = Pixels("png", b"1")
    writer.put(Interrupted(name="", pixels=pixels, saved=pixels, format="PNG", tries=tries), "a")
    with pytest.raises(KeyboardInterrupt):
        writer.put(story.picture(), "b")
    story.gate.set()
    until(lambda: len(tries) == 2)

    assert writer.wait(30)
    assert tries == ["MainThread", "livestream-images"]
    assert not writer._waiting
    assert not writer._writing


def at_point(number: int, happens: Callable[[], None], call: Callable[[], None]) -> bool:
    """Call something, and let something else happen at one of the points where Python runs signals' handlers.

    Those are: after calls, where functions begin, and where loops begin again; only the encoder's own are looked at.

    Returns:
        Whether there are so many points.
    """
    left = number
    before: dict[FrameType, str] = {}

    def trace(frame: FrameType, event: str, _: object) -> Any:
        nonlocal left
        if frame.f_code.co_filename != encoder.__file__:
            return None
        frame.f_trace_opcodes = True
        if event == "opcode":
            if before.get(frame, "").startswith(("CALL", "RESUME", "JUMP_BACKWARD")):
                left -= 1
                if left == -1:
                    happens()
            before[frame] = dis.opname[frame.f_code.co_code[frame.f_lasti]]
        return trace

    tracer = sys.gettrace()
    inspect.currentframe().f_trace_opcodes = True  # type: ignore[union-attr] # CPython 3.12 asks when a tracer is set
    sys.settrace(trace)
    try:
        call()
    finally:
        sys.settrace(tracer)
    return left < 0


def points() -> Iterator[int]:
    return iter(range(1000))


def interrupt() -> None:
    raise KeyboardInterrupt


def test_wherever_a_caller_is_interrupted_nothing_is_left_behind(story: Story) -> None:
    for number in points():
        writer = Encoder()
        writer.forget()  # everything happens in the call
        writer._waiting["older"] = story.picture(f"{number}")
        try:
            was_reached = at_point(number, interrupt, lambda: writer.put(story.picture("new"), "new"))  # noqa: B023 - called at once
        except KeyboardInterrupt:
            was_reached = True
        others: list[bool] = []
        other = threading.Thread(target=lambda: others.append(writer.wait(30)))  # noqa: B023 - it ends in this turn
        other.start()
        other.join()
        assert others == [True]
        assert not writer._waiting
        assert not writer._writing
        assert f"older {number}" in story.written
        if not was_reached:
            break
    assert number > 20


def test_a_signals_handler_that_logs_and_waits_has_its_end_wherever_it_comes(story: Story) -> None:
    for number in points():
        log = story.log = []
        writer = Encoder()
        writer.forget()
        is_last = False

        def handle() -> None:
            nonlocal is_last
            is_last = "same" in writer._waiting or log != []  # noqa: B023 - called at once
            for path in ("same", "other"):
                writer.put(story.picture("handler"), path)  # noqa: B023 - called at once
            assert writer.wait(20)  # noqa: B023 - called at once

        was_reached = at_point(number, handle, lambda: writer.put(story.picture("call"), "same"))  # noqa: B023 - as above
        assert writer.wait(20)
        assert not writer._writing
        same = [what for what in story.written if what.startswith("same")]
        assert same[-1] == ("same handler" if is_last else "same call")
        assert was_reached is ("other handler" in story.written)
        if not was_reached:
            break
    assert number > 20


def test_a_run_that_ends_in_a_signals_handler_does_not_wait_for_the_picture_below_it(
    environ: dict[str, str], tmp_path: Path
) -> None:
    source = """
class Signalled(Picture, frozen=True):
    def save(self, path):
        if threading.current_thread() is threading.main_thread():
            signal.raise_signal(signal.SIGTERM)
        super().save(path)
class Held(Picture, frozen=True):
    def save(self, path):
        begun.set()
        gate.wait()
        super().save(path)
def handle(*_):
    gate.set()
    put(writer, "signalled", 2)
    put(writer, "other", 3)
    writer.wait()
    print(sorted(os.listdir(folder)), flush=True)
begun, gate = threading.Event(), threading.Event()
signal.signal(signal.SIGTERM, handle)
taken = images.take("a.png", np.zeros((2, 2), dtype=np.uint8))
facts = taken.name, taken.pixels, taken.saved, taken.format
writer = Encoder(max_pictures=1)
writer.put(Held(*facts), f"{folder}/held.png")
begun.wait()
writer.put(Signalled(*facts), f"{folder}/signalled.png")
put(writer, "third")
writer.wait()
print(sorted(os.listdir(folder)))
"""
    folder = tmp_path / "images"

    assert succeed(SCRIPT + source, environ, folder).splitlines() == [
        "['held.png', 'other.png', 'third.png']",
        "['held.png', 'other.png', 'signalled.png', 'third.png']",
    ]
    assert np.array_equal(np.asarray(Image.open(folder / "signalled.png")), noise(2, 256, 256, 3))


def test_what_was_interrupted_where_there_is_no_thread_is_written_by_who_waits(story: Story) -> None:
    writer = Encoder()
    writer.forget()
    tries: list[str] = []
    pixels = Pixels("png", b"1")
    with pytest.raises(KeyboardInterrupt):
        writer.put(Interrupted(name="", pixels=pixels, saved=pixels, format="PNG", tries=tries), "a")

    assert writer.wait(30)
    assert tries == ["MainThread", "MainThread"]
    writer.put(story.picture(), "b")
    assert story.log == [("b ", "MainThread")]


def test_after_a_fork_each_process_writes_its_own(environ: dict[str, str], tmp_path: Path) -> None:
    source = """
begun, gate = threading.Event(), threading.Event()
class Held(Picture, frozen=True):
    def save(self, path):
        begun.set()
        gate.wait()
        super().save(path)
taken = images.take("a.png", np.zeros((2, 2), dtype=np.uint8))
writer = Encoder()
writer.put(Held(taken.name, taken.pixels, taken.saved, taken.format), f"{folder}/held.png")
begun.wait()
put(writer, "waiting")
with writer._changed:  # as if another thread were just putting one
    child = os.fork()
if child == 0:
    put(writer, "child")
    assert writer.wait(30)
    print("child", sorted(os.listdir(folder)), flush=True)
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
gate.set()
put(writer, "parent")
writer.wait()
print("parent", sorted(os.listdir(folder)))
"""
    folder = tmp_path / "images"
    environ |= {"PYTHONWARNINGS": "ignore::DeprecationWarning"}  # CPython 3.12 warns of forks beside threads

    assert succeed(SCRIPT + source, environ, folder).splitlines() == [
        "child ['child.png']",
        "parent ['child.png', 'held.png', 'parent.png', 'waiting.png']",
    ]


def test_images_of_a_forked_child_are_written_in_the_call_however_it_ends(
    environ: dict[str, str], tmp_path: Path
) -> None:
    source = """
import multiprocessing
writer = Encoder()
put(writer, "parent")
writer.wait()
def train(rank):
    for step in range(3):
        put(writer, f"{rank}/{step}", step)
    assert [thread.name for thread in threading.enumerate()] == ["MainThread"]
    if rank == 1:
        os.kill(os.getpid(), signal.SIGKILL)
workers = [multiprocessing.get_context("fork").Process(target=train, args=(rank,)) for rank in range(2)]
for worker in workers: worker.start()
for worker in workers: worker.join()
print([worker.exitcode for worker in workers])
"""
    folder = tmp_path / "images"
    environ |= {"PYTHONWARNINGS": "ignore::DeprecationWarning"}  # CPython 3.12 warns of forks beside threads

    assert succeed(SCRIPT + source, environ, folder) == "[0, -9]\n"
    for rank in range(2):
        for step in range(3):
            found = np.asarray(Image.open(folder / f"{rank}" / f"{step}.png"))
            assert np.array_equal(found, noise(step, 256, 256, 3))
