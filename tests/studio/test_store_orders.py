from __future__ import annotations

import random
import tempfile
import zlib
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from store_cases import METRICS, Store, delivery, expected_rollups, key, points

from livestream.studio.update import Delivery, Value

Cuts = list[list[Delivery]]

VALUES = st.one_of(st.floats(allow_nan=False), st.integers(-(2**70), 2**70), st.sampled_from(["nan"]))
STEPS = st.one_of(st.integers(0, 400), st.integers(-(10**6), 10**6))


def row_of(step: int, value: Value, *, is_timed: bool) -> tuple[int, Value, int]:
    return (step, value, 1_000_000 + zlib.crc32(f"{step} {value}".encode())) if is_timed else (step, value, 0)


@st.composite
def batches(draw: st.DrawFn) -> list[list[tuple[int, Value, int]]]:
    """Rows as several bodies carry them: rising runs, single rows, late ones; one row a step where none is timed."""
    is_timed = draw(st.booleans())
    found = []
    seen: dict[int, Value] = {}
    for _ in range(draw(st.integers(1, 12))):
        if draw(st.booleans()):
            first = draw(STEPS)
            steps = range(first, first + draw(st.integers(1, 200)))
            rows: list[tuple[int, Value]] = [(step, float(step % 13)) for step in steps]
        else:
            rows = draw(st.lists(st.tuples(STEPS, VALUES), min_size=1, max_size=8))
        if not is_timed:
            rows = [(step, seen.setdefault(step, value)) for step, value in rows]
        found.append([row_of(step, value, is_timed=is_timed) for step, value in rows])
    return found


def bodies(rows: list[list[tuple[int, Value, int]]], writers: int) -> list[Delivery]:
    """Each batch is an update; the last writer is a stock client, the others number what they send."""
    numbers = dict.fromkeys(range(writers), 0)
    found = []
    for index, batch in enumerate(rows):
        writer = index % writers
        numbers[writer] += 1
        name = key(numbers[writer], writer=f"w{writer}") if writer < writers - 1 else None
        path = f"plot{index % 2}"
        step = max(step for step, _, _ in batch)
        metrics = {METRICS: {"index": index}}
        found.append(delivery(at_s=index, step=step, key=name, points=[points(batch, path)], metrics=metrics))
    return found


def shuffled(sent: list[Delivery], dice: random.Random) -> list[Delivery]:
    """Any order that keeps each writer's own, with what was sent sent again at any later moment."""
    queues: dict[str, list[Delivery]] = {}
    for index, each in enumerate(sent):
        queues.setdefault(each.key.writer if each.key else f"stock {index}", []).append(each)
    found: list[Delivery] = []
    while queues:
        if found and dice.random() < 0.3:
            found.append(dice.choice(found))
            continue
        name = dice.choice(sorted(queues))
        found.append(queues[name].pop(0))
        if not queues[name]:
            del queues[name]
    return found


def stored(sent: list[Delivery], dice: random.Random) -> tuple[object, object, object, object]:
    """What a store holds after these, in transactions of any size and with restarts in between."""
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder))
        left = list(sent)
        while left:
            size = dice.randint(1, 5)
            store.apply(*left[:size])
            left = left[size:]
            if dice.random() < 0.2:
                store.reopen()
        writers = {name: (facts.mark, facts.gaps) for name, facts in store.facts().writers.items()}
        rows, rolled, step = store.rows(), store.rollups(), store.facts().step
        store.writer.close()
    assert rolled == expected_rollups(rows)
    return rows, rolled, writers, step


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(batches(), st.integers(1, 3), st.integers(0, 2**32))
def test_any_order_and_repetition_leads_to_the_same_points_rollups_and_marks(
    rows: list[list[tuple[int, Value, int]]], writers: int, seed: int
) -> None:
    dice = random.Random(seed)
    sent = bodies(rows, writers)
    assert stored(shuffled(sent, dice), dice) == stored(sent, dice)
