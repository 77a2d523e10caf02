"""What docs/studio.md tells people to type does what it says; its numbers are those of the settings."""

from __future__ import annotations

import base64
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec
import pytest
from studio_stage import RunningStudio, studio_environment, token_for

from livestream.studio.settings import StatusBounds, StudioLimits

PAGE: Final = (Path(__file__).parents[2] / "docs" / "studio.md").read_text(encoding="utf-8")
PNG: Final = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(20)).decode()
UPDATE: Final = {
    "type": "data",
    "repo_url": "git@example.com:team/project.git",
    "baseline_sha": "a" * 40,
    "name": "first",
    "client": "dvclive",
    "step": 99,
    "params": {"params.yaml": {"optimizer": "adam"}},
    "metrics": {"dvclive/metrics.json": {"data": {"train": {"loss": 0.01}, "acc": 0.9}}},
    "plots": {
        "dvclive/plots/metrics/train/loss.tsv": {"data": [{"step": n, "loss": 1 / (1 + n)} for n in range(100)]},
        "dvclive/plots/images/a.png": {"image": PNG},
        "dvclive/plots/custom/curve.json": {"data": [{"x": 1, "y": 2}]},
    },
}


def section(title: str) -> str:
    """Give the shell lines of a section."""
    text = PAGE.split(f"\n## {title}\n")[1].split("\n## ")[0]
    return "\n".join(re.findall(r"```sh\n(.*?)```", text, re.DOTALL))


@pytest.fixture
def studio(tmp_path: Path) -> Iterator[RunningStudio]:
    with RunningStudio(tmp_path / "data", {}, "--no-announce") as running:
        token = token_for(running.data, "ingest")
        header = f"Authorization: token {token}"
        posted = subprocess.run(
            ["curl", "-sS", "--fail-with-body", "-H", header, "--json", "@-", f"{running.url}/api/live"],
            input=msgspec.json.encode(UPDATE),
            capture_output=True,
            check=False,
            timeout=30,
        )
        assert posted.returncode == 0, posted
        yield running


def run(script: str, studio: RunningStudio, folder: Path) -> str:
    """Run shell lines as a person would, each of which must succeed."""
    (folder / "livestream").write_text(f'#!/bin/sh\nexec {sys.executable} -m livestream "$@"\n')
    (folder / "livestream").chmod(0o700)
    environ = studio_environment(folder) | {
        "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}",
        "LIVESTREAM_STUDIO_DATA": str(studio.data),
        "NO_PROXY": "127.0.0.1",
    }
    ran = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script.replace("http://127.0.0.1:8585", studio.url)],
        env=environ,
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert ran.returncode == 0, ran.stdout[-3000:] + ran.stderr
    return ran.stdout


def test_every_request_of_the_read_api_s_section_is_answered(studio: RunningStudio, tmp_path: Path) -> None:
    stream = 'ask -N "$STUDIO/api/feed?since=0"'
    lines = section("Read API")
    assert stream in lines
    said = run(lines.replace(stream, f"{{ {stream} --max-time 1 || [ $? = 28 ]; }}"), studio, tmp_path)
    for expected in ('"name":"first"', '"width":1', "event: hello", '"status":"ok"', '"deleted":null', '"vision"'):
        assert expected in said
    assert (tmp_path / "rows.csv").read_text().count("\n") == 101
    assert (tmp_path / "rows.jsonl").read_text().count("\n") == 100
    assert base64.b64encode((tmp_path / "image.png").read_bytes()).decode() == PNG


def test_every_command_about_tokens_works(studio: RunningStudio, tmp_path: Path) -> None:
    said = run(section("Tokens"), studio, tmp_path)
    assert said.count("lst_") >= 4
    assert f"{studio.url}/sign-in?code=" in said


def test_its_numbers_are_those_of_the_settings() -> None:
    limits, bounds = StudioLimits(), StatusBounds()
    for told in (
        f"| {limits.max_request_bytes >> 20} MiB | 413 |",
        f"| {limits.body_timeout_s:g} s | 408 |",
        f"bodies over {limits.large_bytes >> 10} KiB read at once | {limits.max_large_reads} |",
        f"| {limits.max_logged_bytes >> 30} GiB | 503",
        f"| {limits.max_queued:,} | 503",
        f"| {limits.requests_per_s:g} a second, {limits.request_burst:,.0f} at once | 429",
        f"| {limits.failed_sign_ins} in {limits.failed_sign_ins_s / 60:g} min | 429",
        f"more than {bounds.behind_s:g} s old",
        f"no step came for {bounds.stalled_s:g} s, or for {bounds.stalled_factor:g} of its",
        f"| no heartbeat for {bounds.silent_s:g} s; clients that never beat",
        f"nothing for {bounds.quiet_silent_s / 60:g} min or {bounds.stalled_factor:g} usual pauses",
        f"| no heartbeat for {bounds.lost_s / 60:g} min; clients that never beat",
        f"nothing for {bounds.quiet_lost_s / 3600:g} h",
    ):
        assert told in PAGE, told
