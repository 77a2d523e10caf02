"""What does a step of `Live` cost a training, beside the same step of DVCLive?

All of DVCLive's options are at their defaults, in a DVC and Git repository without a Studio; our spool takes every step
all the same. Measured is `next_step` and, apart from it, `log_metric`.

    tight     step after step
    20 ms     a sleep of 20 ms before each step, which is a training's: every cache is cold (no target: a bare write of
              the row alone is a tenth of DVCLive's whole call then)
    served    the same, ours alone: with a daemon that delivers to a Studio meanwhile
    bare      one `os.write` of a row of text instead of `log_metric`: less cannot be, if a kill is to cost no row
    growth    ours alone, tight, from step 2,000 on and from step 100,000 on
    wide      1,000 metrics a step, from step 5 on, and ours from step 300 on
    params    1,000 parameters, each by a call of its own

DVCLive's steps get slower as they get more. It is brought to step 2,000 by resuming from files of 2,000 rows, because
it reads them whole at each step, whoever wrote them: one that ran all 800 steps before took 12.0 ms a step, one that
resumed there 11.3. Ours has really run all of its steps.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Final, TypeAlias

import msgspec

from benchmarks.harness import Cell, Figure, Options, Report, figure, quantile, ratio, run
from benchmarks.live import Stand, parser_with_peer, stands, take_turns
from benchmarks.server import serving
from livestream.events import JsonObject

QUESTION: Final = str(__doc__).partition("\n")[0]

METRICS: Final = 10
AT: Final = 2_000
WARM_UP: Final = 5
GROWN: Final = 100_000
QUICK_GROWN: Final = 10_000
SPAN: Final = 1_000
WIDE: Final = 1_000
WIDE_AT: Final = (5, 300)
PARAMS: Final = 1_000
CALLS: Final = ("next_step", "log_metric")
CHEAPER: Final = {"next_step": 100.0, "log_metric": 10.0}
FLAT: Final = 1.1

Row: TypeAlias = tuple[Cell | Figure, ...]


class Pace(msgspec.Struct, frozen=True):
    """How many steps are measured in a round, after which sleep each; DVCLive's fewer, as they are slow."""

    steps: int
    peer_steps: int
    pause_s: float


PACES: Final = {"tight": Pace(500, 20, 0.0), "20 ms": Pace(60, 30, 0.020)}


def measure(options: Options, report: Report) -> None:
    found = stands(options, report)
    only = options.rest.only
    for name, pace in PACES.items():
        if only in {None, name}:
            measure_pace(options, report, found, name, pace)
    if only in {None, "growth"}:
        measure_growth(options, report, found["Live"])
    if only in {None, "wide"}:
        measure_wide(options, report, found)
    if only in {None, "params"}:
        measure_params(options, report, found)


# -- step 2,000


def measure_pace(options: Options, report: Report, found: Mapping[str, Stand], name: str, pace: Pace) -> None:
    """Compare the calls at step 2,000."""
    rounds: dict[str, list[JsonObject]] = {who: [] for who in found}
    served: list[JsonObject] = []
    for turn in range(min(options.rounds, 3) if pace.pause_s else options.rounds):
        for who in sorted(found, reverse=bool(turn % 2)):
            rounds[who].append(_at_2000(found[who], pace))
        if pace.pause_s:
            with serving("bare") as server:
                served.append(_at_2000(msgspec.structs.replace(found["Live"], url=server.url), pace))
                if not server.tally().requests:
                    raise SystemExit("nothing was delivered meanwhile, so nothing was shown")
    bare = found["Live"].do("bare", metrics=METRICS, steps=pace.steps, pause_s=pace.pause_s)["write"]
    _show_calls(report, name, rounds, served, bare)


def _at_2000(stand: Stand, pace: Pace) -> JsonObject:
    order: JsonObject = {"metrics": METRICS, "pause_s": pace.pause_s}
    if stand.library == "dvclive":
        order |= {"resume_at": AT, "spans": [[AT + WARM_UP, pace.peer_steps]]}
    else:
        order |= {"spans": [[AT + WARM_UP, pace.steps]]}
    (span,) = _spans(stand.do("steps", **order))
    return span


def _spans(found: JsonObject) -> Sequence[JsonObject]:
    if found["refused"]:
        raise SystemExit(f"the queue is not whole: {found['refused']}")
    spans: Sequence[JsonObject] = found["spans"]
    return spans


def _show_calls(
    report: Report,
    name: str,
    rounds: Mapping[str, Sequence[JsonObject]],
    served: Sequence[JsonObject],
    bare: Sequence[float],
) -> None:
    rows: list[Row] = []
    shown = {who: spans for who, spans in {**rounds, "Live, served": served}.items() if spans}
    for call in CALLS:
        medians = {who: [quantile(span[call], 0.5) / 1000 for span in spans] for who, spans in shown.items()}
        for who, spans in shown.items():
            pooled = [taken / 1000 for span in spans for taken in span[call]]
            compared = ratio(medians["DVCLive"], medians[who]) if "DVCLive" in shown and who != "DVCLive" else None
            rows.append(
                (f"{call}: {who}", figure(medians[who]), fmean(pooled), quantile(pooled, 0.99), compared),
            )
            if compared is not None and name == "tight":
                report.at_least(f"{name}: {call}, DVCLive / {who}", compared.median, CHEAPER[call])
    written = [taken / 1000 for taken in bare]
    rows.append(("bare: one os.write", quantile(written, 0.5), fmean(written), quantile(written, 0.99), None))
    title = f"{name}: calls at step {AT:,} with {METRICS} metrics, us"
    report.table(title, ("", "median", "mean", "p99", "x cheaper"), rows)


# -- growth


def measure_growth(options: Options, report: Report, ours: Stand) -> None:
    """Compare steps of a young run with steps of an old one."""
    grown = QUICK_GROWN if options.quick else GROWN
    spans = [[AT, SPAN], [grown, SPAN]]
    young, old = _spans(ours.do("steps", metrics=METRICS, spans=spans, pause_s=0.0))
    rows: list[Row] = []
    for call in CALLS:
        before, after = (quantile(span[call], 0.5) / 1000 for span in (young, old))
        rows.append((call, before, after, after / before))
        report.at_most(f"{call} after step {grown:,} / after {AT:,}", after / before, FLAT)
    report.table("growth: medians, us", ("", f"from step {AT:,}", f"from step {grown:,}", "ratio"), rows)


# -- 1,000 metrics


def measure_wide(options: Options, report: Report, found: Mapping[str, Stand]) -> None:
    """Compare whole steps of 1,000 metrics."""
    rows: list[Row] = []
    rounds = {who: _wide_rounds(stand, min(options.rounds, 2)) for who, stand in found.items()}
    for who, per_round in rounds.items():
        for place, at in enumerate(WIDE_AT[: len(per_round[0])]):
            taken = [spans[place] for spans in per_round]
            theirs = [spans[0] for spans in rounds["DVCLive"]] if "DVCLive" in rounds and who == "Live" else None
            rows.append((f"{who} from step {at}", figure(taken), ratio(theirs, taken) if theirs else None))
    report.table(f"wide: a whole step of {WIDE:,} metrics, ms", ("", "median", "x cheaper"), rows)
    grown = figure([old / young for young, old in rounds["Live"]]).median
    report.at_most(f"a step of {WIDE:,} metrics from step {WIDE_AT[1]} / {WIDE_AT[0]}", grown, FLAT)


def _wide_rounds(stand: Stand, rounds: int) -> list[list[float]]:
    """Milliseconds of a whole step, at the median of each span."""
    at = WIDE_AT if stand.library == "livestream" else WIDE_AT[:1]
    order = {
        "metrics": WIDE,
        "pause_s": 0.0,
        "spans": [[step, 20 if stand.library == "livestream" else 5] for step in at],
    }
    return [[_whole_ms(span) for span in _spans(stand.do("steps", **order))] for _ in range(rounds)]


def _whole_ms(span: JsonObject) -> float:
    logged, ended = (quantile(span[call], 0.5) for call in ("log_metric", "next_step"))
    return (logged * WIDE + ended) / 1e6


# -- parameters


def measure_params(options: Options, report: Report, found: Mapping[str, Stand]) -> None:
    """Compare 1,000 calls of log_param; one round, as DVCLive's takes half a minute."""
    params = PARAMS // 5 if options.quick else PARAMS
    taken = {who: each[0]["log_param"] for who, each in take_turns(found, 1, "params", params=params).items()}
    rows: list[Row] = [
        (who, sum(each) / 1e6, *(quantile(part, 0.5) / 1000 for part in (each[:100], each[-100:])))
        for who, each in taken.items()
    ]
    report.table(f"params: {params:,} calls", ("", "all, ms", "the first 100, us", "the last 100, us"), rows)


def main() -> int:
    parser = parser_with_peer()
    parser.add_argument("--only", choices=[*PACES, "growth", "wide", "params"], help="one scenario")
    return run(QUESTION, measure, parser)


if __name__ == "__main__":
    sys.exit(main())
