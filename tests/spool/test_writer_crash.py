from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path

import pytest
from training_cases import bodies, events, line, queue_of, rest, start

from livestream.events import Data, Start
from livestream.spool.layout import is_locked

ROUNDS = int(os.environ.get("LIVESTREAM_CRASH_ROUNDS", "6"))
SEED = int(os.environ.get("LIVESTREAM_CRASH_SEED", str(random.SystemRandom().randrange(10**6))))

WRITER = """
import random, threading, time
import livestream

seed, threads, children, power = int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
run = livestream.init("killed", durability=power)
writer = run._session.writer
writer.segment_wal_bytes = 300_000  # several rotations a round

def train(who):
    rng = random.Random(seed * 1000 + who)
    pace_s = rng.choice([0, 0, 0.0005, 0.005])
    number = 0
    while True:
        number += 1
        news = {"who": who, "number": number}
        arguments = {}
        if rng.random() < 0.05:
            arguments["params"] = {"text": "x" * rng.choice([10, 3_000, 70_000])}
        if rng.random() < 0.02:
            arguments["images"] = {"a.png": b"\\x89PNG\\r\\n\\x1a\\n" + bytes(rng.choice([100, 100_000]))}
        seq = run.emit(news, step=number, **arguments)
        os.write(1, b"%d %d %d\\n" % (who, seq, number))  # it was acknowledged
        if pace_s:
            time.sleep(rng.random() * pace_s)

say("up")
for number in range(children):
    if not os.fork():
        train(100 + number)
for who in range(1, threads):
    threading.Thread(target=train, args=[who], daemon=True).start()
train(0)
"""


def acknowledged_by_queue(out: str) -> dict[int, dict[int, tuple[int, int]]]:
    """What was acknowledged before the kill: the queue (0, or a child's number) to its numbers to ``(who, number)``."""
    found: dict[int, dict[int, tuple[int, int]]] = {}
    for text in out.split("\n")[1:-1]:
        who, seq, number = map(int, text.split())
        queue = found.setdefault(who if who >= 100 else 0, {})
        assert seq not in queue
        queue[seq] = (who, number)
    return found


@pytest.mark.crash
@pytest.mark.parametrize("round_", range(ROUNDS))
def test_what_emit_acknowledged_is_there_after_a_kill_at_any_instant(
    round_: int, spool: Path, environ: dict[str, str]
) -> None:
    seed = SEED + round_
    print(f"LIVESTREAM_CRASH_SEED={seed} LIVESTREAM_CRASH_ROUNDS=1")
    rng = random.Random(seed)
    threads, children = rng.choice([1, 1, 4]), rng.choice([0, 0, 1])
    environ |= {"LIVESTREAM_SPOOL_MODE": rng.choice(["local", "shared"]), "PYTHONWARNINGS": "ignore"}
    process = start(WRITER, environ, seed, threads, children, rng.choice(["process", "process", "power"]))
    assert line(process) == "up"
    time.sleep(rng.random() * 0.5)
    os.killpg(process.pid, signal.SIGKILL)
    out = rest(process)

    for queue, acknowledged in acknowledged_by_queue("up\n" + out).items():
        folder = queue_of(spool, "contributor" if queue else "primary")
        assert not is_locked(folder / "lock")
        stored = events(folder)
        for seq, (who, number) in acknowledged.items():
            event = stored[seq - 1]
            assert isinstance(event, Data)
            assert (event.metrics["who"], event.metrics["number"]) == (who, number)
        unacknowledged = len(bodies(folder)) - len(acknowledged) - isinstance(stored[0], Start)
        assert 0 <= unacknowledged <= threads
