from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

# The handler's own emits interrupt those of the main thread at any bytecode, also inside the writer's lock.
SCRIPT = """
import signal, sys, time
import livestream

run = livestream.init("n", daemon="off", durability=sys.argv[1])
looped, handled, refused = [], [], []  # appending is atomic, counting is not: handlers interrupt each other too

def on_alarm(number, frame):
    seq = run.emit({"from/handler": 1.0})
    (refused if seq is None else handled).append(seq)

signal.signal(signal.SIGALRM, on_alarm)
signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
until = time.monotonic() + 1.0
while time.monotonic() < until:
    looped.append(run.emit({"from/loop": 1.0}))
signal.setitimer(signal.ITIMER_REAL, 0)
run.end()
assert run.refused == ({"reentrant": len(refused)} if refused else {}), run.refused
assert None not in looped
print(len(looped) + len(handled) + 2)
"""


@pytest.mark.parametrize("durability", ["process", "power"])
def test_a_signal_handler_may_emit_whatever_it_interrupts(tmp_path: Path, durability: str) -> None:
    environ = os.environ | {"LIVESTREAM_SPOOL": str(tmp_path), "PYTHONPATH": str(Path(__file__).parents[1])}
    command = [sys.executable, "-c", SCRIPT, durability]
    ran = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 0, ran.stderr

    verify = [sys.executable, "-m", "livestream", "queue", "verify", "--spool", str(tmp_path)]
    verified = subprocess.run(verify, env=environ, capture_output=True, text=True, timeout=60, check=False)

    assert verified.returncode == 0, verified.stdout
    assert f"{int(ran.stdout):,} events" in verified.stdout
