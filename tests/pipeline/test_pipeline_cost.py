from __future__ import annotations

import time

from pipeline_cases import OURS, SOURCE, data, records

from livestream.events import Data, Record, decode, encode
from livestream.pipeline.chunk import Limits, chunk, render
from livestream.pipeline.coalesce import ExperimentState, coalesce


def test_a_point_costs_less_than_seven_microseconds_of_cpu() -> None:
    # The replay of a backlog is to reach 100,000 points a second with JSON, HTTP and SQLite around this.
    names = [f"group/metric{n}" for n in range(10)]
    payloads = [encode(Data(time=0.0, step=n, metrics=dict.fromkeys(names, 0.1 + n))) for n in range(10_000)]
    queue = [Record(seq, event, 0) for seq, event in enumerate(map(decode, payloads), 1) if isinstance(event, Data)]

    started = time.process_time()
    update = coalesce(queue, ExperimentState(), SOURCE, OURS)
    chunks = chunk(update, Limits(), {})
    size = sum(len(render(update, part, {})) for part in chunks.parts)
    spent_s = time.process_time() - started

    assert size > 100_000 * len('{"step":0,"m":0}')
    assert spent_s / 100_000 < 7e-6


def test_a_queue_that_is_longer_by_a_factor_costs_no_more_than_that_factor() -> None:
    def cost_s(count: int) -> float:
        queue = records(*(data(n, metrics={"loss": n / 7, "train/acc": n}) for n in range(count)))
        best = float("inf")
        for _ in range(3):
            started = time.process_time()
            update = coalesce(queue, ExperimentState(), SOURCE, OURS)
            chunk(update, Limits(target_request_bytes=5_000), {})
            best = min(best, time.process_time() - started)
        return best

    assert cost_s(16_000) < 8 * 3 * cost_s(2_000)
