from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path

import msgspec
import pytest
from store_cases import METRICS, Store, ask, expected_rollups, is_whole
from training_cases import line, rest, start

ROOT = Path(__file__).resolve().parent.parent.parent
ROUNDS = int(os.environ.get("LIVESTREAM_CRASH_ROUNDS", "4"))
SEED = int(os.environ.get("LIVESTREAM_CRASH_SEED", str(random.SystemRandom().randrange(10**6))))

WRITER = """
import random
from pathlib import Path
from store_cases import METRICS, Store, delivery, key, points
from livestream.studio.update import Picture

seed, rows = int(sys.argv[2]), int(sys.argv[3])
dice = random.Random(seed)
store = Store(Path(sys.argv[1]))
say("up")
number = 0
while True:
    sent = []
    for _ in range(dice.randint(1, 8)):
        number += 1
        steps = range(number * rows, number * rows + rows)
        values = [points([(step, step * 0.5) for step in steps], f"plot{each}") for each in range(5)]
        pictures = [Picture(path="i.png", step=number, content=b"%d" % number, media_type="image/png")]
        sent.append(delivery(step=steps[-1], key=key(number), points=values, pictures=pictures,
            metrics={METRICS: {"number": number, "twice": number * 2}}))
    store.apply(*sent)
    os.write(1, b"%d\\n" % number)  # apply has returned
"""


@pytest.mark.crash
@pytest.mark.parametrize("round_", range(ROUNDS))
def test_what_apply_returned_is_there_after_a_kill_at_any_instant_and_nothing_is_torn(
    round_: int, tmp_path: Path, environ: dict[str, str]
) -> None:
    seed = SEED + round_
    print(f"LIVESTREAM_CRASH_SEED={seed} LIVESTREAM_CRASH_ROUNDS=1")
    dice = random.Random(seed)
    rows = dice.choice([1, 7, 200])
    data = tmp_path / "data"
    data.mkdir()
    environ["PYTHONPATH"] += f":{ROOT / 'tests' / 'studio'}"
    process = start(WRITER, environ, data, seed, rows)
    assert line(process) == "up"
    time.sleep(dice.random() * 0.7)  # the instant is the dice's
    os.killpg(process.pid, signal.SIGKILL)
    returned = int((["0", *rest(process).split()])[-1])

    store = Store(data)
    try:
        assert is_whole(data)
        if not returned and not ask(data, "SELECT 1 FROM experiment"):
            return
        number = store.facts().writers["w"].mark
        assert returned <= number <= returned + 8
        assert store.files() == {METRICS: {"number": number, "twice": number * 2}}
        assert store.facts().step == number * rows + rows - 1
        expected = {(f"plot{each}", step) for each in range(5) for step in range(rows, (number + 1) * rows)}
        assert {(path, step) for path, _, step, _, _ in store.rows()} == expected
        assert store.rollups() == expected_rollups(store.rows())
        images = store.ask("SELECT step, sha256 FROM image ORDER BY step")
        assert [step for step, _ in images] == list(range(1, number + 1))
        assert all(store.blobs.path(name).read_bytes() == b"%d" % step for step, name in images)
        assert store.ask("SELECT count(*), max(seq) FROM change WHERE experiment = 1")[0][0] >= 1
        msgspec.json.decode(store.ask("SELECT params FROM experiment")[0][0])
    finally:
        store.writer.close()
