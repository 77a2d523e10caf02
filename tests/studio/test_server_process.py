from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Final

import aiohttp
import pytest
from studio_stage import REPO_URL, SHA, Client, RunningStudio, body, scalars

STOCK: Final = """
import sys
from dvc_studio_client.post_live_metrics import post_live_metrics
config = {"url": sys.argv[1], "token": sys.argv[2], "repo_url": sys.argv[3]}
sha, name = sys.argv[4], "stock"
def post(kind, **more):
    return post_live_metrics(kind, sha, name, "dvclive", dvc_studio_config=config, **more)
print(post("start", params={"params.yaml": {"lr": 0.1}}, message="a try"))
for step in range(3):
    row = {"step": step, "timestamp": str(1700000000000 + step), "loss": 1 / (step + 1)}
    print(post("data", step=step, metrics={"dvclive/metrics.json": {"data": {"loss": 1 / (step + 1), "step": step}}},
        plots={"dvclive/plots/metrics/loss.tsv": {"data": [row]}}))
print(post("done", experiment_rev="b" * 40))
"""


async def test_the_stock_client_posts_and_its_run_is_shown_and_streamed(tmp_path: Path) -> None:
    with RunningStudio(tmp_path / "data") as studio:
        async with aiohttp.ClientSession() as session:
            client = Client(session, studio.url, studio.token)
            async with session.get(f"{studio.url}/api/feed", headers=client.headers) as feed:
                done = await asyncio.to_thread(
                    subprocess.run,
                    [sys.executable, "-c", STOCK, studio.url, studio.first_token, REPO_URL, SHA],
                    env=os.environ | studio.environ,
                    capture_output=True,
                    text=True,
                    timeout=60,
                    check=True,
                )
                async with asyncio.timeout(20):
                    streamed = b""
                    while b'"step":2' not in streamed:
                        streamed += await feed.content.readany()
            (shown,) = (await client.get("/api/experiments"))["experiments"]
            (series,) = (await client.get(f"/api/experiments/{shown['id']}/series"))["series"]
            chart = await client.get(f"/api/experiments/{shown['id']}/series/{series['id']}")
        errors = studio.stop()

    assert done.stdout.split() == ["True"] * 5, done.stderr
    assert (shown["name"], shown["repo_url"], shown["message"]) == ("stock", REPO_URL, "a try")
    assert (shown["status"]["kind"], shown["step"], shown["experiment_rev"]) == ("completed", 2, "b" * 40)
    assert shown["params"] == {"params.yaml": {"lr": 0.1}}
    assert shown["metrics"]["dvclive/metrics.json"]["step"] == 2
    assert (chart["steps"], chart["last"]) == ([0, 1, 2], [1.0, 0.5, 1 / 3])
    assert (studio.process.returncode, "Traceback" in errors) == (0, False)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
async def test_what_was_answered_is_there_after_the_process_ends(tmp_path: Path, number: int) -> None:
    with RunningStudio(tmp_path / "data") as studio:
        token = studio.token
        async with aiohttp.ClientSession() as session:
            client = Client(session, studio.url, token)
            for step in range(20):
                await client.post(body(step=step, plots=scalars([(step, step / 2)])))
        studio.stop(number)
        studio.start()
        async with aiohttp.ClientSession() as session:
            client = Client(session, studio.url, token)
            (shown,) = (await client.get("/api/experiments"))["experiments"]
            (series,) = (await client.get(f"/api/experiments/{shown['id']}/series"))["series"]
        studio.stop()

    assert (shown["step"], series["count"], series["last"]) == (19, 20, 9.5)


async def test_an_open_stream_does_not_hold_up_the_end(tmp_path: Path) -> None:
    with RunningStudio(tmp_path / "data") as studio:
        async with aiohttp.ClientSession() as session:
            headers = {"Authorization": f"token {studio.token}"}
            async with session.get(f"{studio.url}/api/feed", headers=headers) as feed:
                await feed.content.readline()
                async with asyncio.timeout(4):
                    await asyncio.to_thread(studio.stop)

    assert studio.process.returncode == 0
