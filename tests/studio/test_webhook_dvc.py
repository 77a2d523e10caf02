from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from git_cases import IDENTITY, Repository, until
from studio_stage import OpenStudio, open_studio

STAGE = """stages:
  train:
    cmd: cp params.yaml metrics.yaml
    params: [lr]
    metrics: [{metrics.yaml: {cache: false}}]
"""


def dvc_project(folder: Path, origin: Repository) -> Repository:
    repository = Repository(folder)
    repository.git("remote", "add", "origin", f"file://{origin.folder}")
    run_dvc(repository, {}, "init", "--quiet")
    for setting in ("core.analytics", "core.check_update"):
        run_dvc(repository, {}, "config", setting, "false")
    (folder / "dvc.yaml").write_text(STAGE)
    (folder / "params.yaml").write_text("lr: 0.1\n")
    repository.git("add", "--all")
    repository.commit("a project")
    repository.git("push", "--quiet", "origin", "main")
    return repository


def run_dvc(repository: Repository, environ: dict[str, str], *arguments: str) -> str:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("GIT_", "DVC"))}
    ours = {"HOME": str(repository.folder.parent), "DVC_NO_ANALYTICS": "1"}
    answer = subprocess.run(
        [sys.executable, "-m", "dvc", *arguments],
        cwd=repository.folder,
        env={**kept, **IDENTITY, **ours, **environ},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert answer.returncode == 0, (answer.stdout, answer.stderr)
    return answer.stdout + answer.stderr


def studio_variables(studio: OpenStudio) -> dict[str, str]:
    token = studio.services.keeper.create("dvc", ("ingest",))[1]
    return {"DVC_STUDIO_URL": studio.url, "DVC_STUDIO_TOKEN": token}


async def test_an_experiment_of_dvc_is_pushed_found_in_git_and_removed(tmp_path: Path) -> None:
    origin = Repository(tmp_path / "origin.git", bare=True)
    repository = await asyncio.to_thread(dvc_project, tmp_path / "work", origin)
    url = f"file://{origin.folder}"
    baseline = repository.git("rev-parse", "HEAD")
    async with open_studio(tmp_path / "data", repositories=(url,)) as studio:
        environ = studio_variables(studio)
        tree = studio.services.tree
        await until(lambda: tree.commit(url, baseline))
        await asyncio.to_thread(
            run_dvc, repository, environ, "exp", "run", "--name", "bold-name", "--set-param", "lr=1"
        )
        listed: Any = await studio.client.get("/api/projects")
        (project,) = listed["projects"]
        history = f"/api/projects/{project['id']}/commits"
        before: Any = await studio.client.get(history)
        (place,) = before["branches"][0]["commits"]
        assert place["commit"]["message"] == "a project"
        (experiment,) = place["experiments"]
        assert (experiment["name"], experiment["pushed"]) == ("bold-name", False)

        said = await asyncio.to_thread(run_dvc, repository, environ, "exp", "push", "origin", "bold-name")
        assert f"{studio.url}/projects/{project['id']}" in said
        await until(lambda: tree.experiment_refs(url))
        ((key, revision),) = tree.experiment_refs(url).items()
        assert key == (baseline, "bold-name")
        after: Any = await studio.client.get(history)
        (place,) = after["branches"][0]["commits"]
        assert place["experiments"] == [{**experiment, "rev": revision, "pushed": True}]
        assert experiment["rev"] == revision
        assert place["references"] == []

        await asyncio.to_thread(run_dvc, repository, environ, "exp", "remove", "--git-remote", "origin", "bold-name")
        await until(lambda: not tree.experiment_refs(url))
        gone: Any = await studio.client.get(history)
        (place,) = gone["branches"][0]["commits"]
        assert place["experiments"] == [experiment]
