"""``post_live_metrics`` as dvc-studio-client has it, through the spool.

The signature, the order of checks, the schema and the texts of the log are the stock client's. What differs is what
becomes of an event that passes them: it is put into the spool, where neither a dead network nor a kill can reach it,
and the daemon delivers it, in as many requests as it takes.
"""

from __future__ import annotations

import logging
import os
import time
from pathlib import Path
from typing import Any, Final, Literal

import msgspec

from livestream import config, git
from livestream._version import __version__
from livestream.client.plain import NotJsonError, plain
from livestream.client.schema import EVENT_TYPES, problems
from livestream.client.sessions import AtExit, Key, Sessions
from livestream.errors import ConfigError
from livestream.events import Data, Done, Event, Experiment, Files, Json, JsonObject, Start
from livestream.spool.session import Destination, SessionOptions

logger = logging.getLogger("livestream")

MAX_MESSAGE_CHARS: Final = 72
"""Studio shows the message as a commit's title (dvc-studio-client cuts it there)."""

_SKIPPING: Final = "Skipping `post_studio_live_metrics`"
_FAILED: Final = "Failed to post to Studio"

_sessions = Sessions()
_said: set[str] = set()


def post_live_metrics(  # noqa: PLR0913, PLR0917 - dvc-studio-client's signature
    event_type: Literal["start", "data", "done"],
    baseline_sha: str,
    name: str,
    client: Literal["dvc", "dvclive"],
    experiment_rev: str | None = None,
    machine: dict[str, Any] | None = None,
    message: str | None = None,
    metrics: dict[str, Any] | None = None,
    params: dict[str, Any] | None = None,
    plots: dict[str, Any] | None = None,
    step: int | None = None,
    dvc_studio_config: dict[str, Any] | None = None,
    offline: bool = False,  # noqa: FBT001, FBT002 - as above
    studio_token: str | None = None,
    studio_repo_url: str | None = None,
    studio_url: str | None = None,
    subdir: str | None = None,
    *,
    wait_s: float | None = None,
) -> bool | None:
    """Put one event on its way to the Studio's ``api/live``.

    Args:
        event_type: ``start``, ``data`` or ``done``.
        baseline_sha: The commit that the experiment starts from.
        name: The experiment's name; with the repository and the baseline it says which experiment it is.
        client: Who posts.
        experiment_rev: The commit made of the experiment; only with ``done``.
        machine: Facts about the machine (``cpu``, ``memory``, ``cloud``, ``instance``, ...).
        message: Shown as the experiment's commit message, cut at 72 characters; only with ``start``.
        metrics: Metric files by path: ``{"dvclive/metrics.json": {"data": {"foo": 1.0}}}``.
        params: Parameter files by path: ``{"dvclive/params.yaml": {"foo": "bar"}}``.
        plots: Plot files by path, ``{"data": [{"step": 0, "foo": 1.0}]}`` or ``{"image": base64}``; only with ``data``.
        step: The training's step; ``data`` needs it.
        dvc_studio_config: DVC's config section ``studio``: ``token``, ``url``, ``repo_url``, ``offline``.
        offline: Do nothing.
        studio_token: The Studio's access token.
        studio_repo_url: The Git repository that the Studio knows; credentials in it are stripped.
        studio_url: The Studio's base URL.
        subdir: The DVC project below the Git root; only with ``start``.
        wait_s: Wait this long at most for the Studio's answer.

    Returns:
        ``True``: the event is safe in the spool; with ``wait_s``, the Studio took it. ``False``: it was refused (quota,
        disk), or with ``wait_s`` the time ran out (it stays in the spool), or the Studio will never take it (it is a
        dead letter). ``None``: it was not tried, and nothing was stored: no token, no repository, offline, or an
        argument that cannot be sent. Nothing is ever raised.
    """
    said = _Said(
        event_type=event_type,
        identity={"baseline_sha": baseline_sha, "name": name, "client": client},
        params=params,
        metrics=metrics,
        machine=machine,
        message=message,
        subdir=subdir,
        step=step,
        plots=plots,
        experiment_rev=experiment_rev,
    )
    asked = _Asked(
        config=dvc_studio_config, offline=offline, token=studio_token, repo_url=studio_repo_url, url=studio_url
    )
    try:
        return _post(said, asked, wait_s)
    except Exception:  # trouble of ours never stops a training
        logger.exception("livestream.post_failed")
        return False


class _Said(msgspec.Struct, frozen=True, kw_only=True):
    """What to post, as the caller gave it."""

    event_type: Json
    identity: JsonObject
    params: Json
    metrics: Json
    machine: Json
    message: Json
    subdir: Json
    step: Json
    plots: Json
    experiment_rev: Json


class _Asked(msgspec.Struct, frozen=True, kw_only=True):
    """Where to post to, as the caller gave it."""

    config: Json
    offline: Json
    token: Json
    repo_url: Json
    url: Json

    def __repr__(self) -> str:
        return "_Asked(...)"  # it holds a token


class _Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where to post to, decided."""

    studio: config.StudioConfig
    token: config.Secret
    repo_url: str
    folder: Path | None
    settings: config.Settings


def _post(said: _Said, asked: _Asked, wait_s: float | None) -> bool | None:
    place = _find_place(asked)
    body = None if place is None else _checked_body(said, place.repo_url)
    if place is None or body is None:
        return None
    experiment = Experiment(repo_url=body["repo_url"], baseline_sha=body["baseline_sha"], name=body["name"])
    settings = place.settings
    receipt = _sessions.record(
        Key(
            spool=settings.spool,
            experiment=experiment,
            client=body["client"],
            url=place.studio.url,
            endpoint=place.studio.endpoint,
            token=place.token,
        ),
        _options(place, experiment, body["client"]),
        _event(body),
        AtExit(signals=settings.signals, wait_s=settings.end_wait_s),
    )
    if receipt.seq is None or wait_s is None:
        return receipt.seq is not None
    fate = receipt.wait(wait_s)
    if fate != "taken":
        logger.warning("%s: %s", _FAILED, "it is a dead letter" if fate == "dead" else f"no answer in {wait_s:g} s")
    return fate == "taken"


# -- where to


def _find_place(asked: _Asked) -> _Place | None:
    environ = os.environ
    studio = config.resolve_studio(environ, _dvc_config(asked.config or {}), _arguments(asked))
    if studio.offline:
        logger.debug("Offline mode enabled. %s", _SKIPPING)
        return None
    if studio.token is None:
        local, problem = config.read_local_studio(environ)
        studio = config.with_local_studio(studio, local)
        _say_once(problem)
    if studio.token is None:
        logger.debug("DVC_STUDIO_TOKEN not found. %s", _SKIPPING)
        return None
    for problem in studio.problems:
        _say_once(problem)
    folder = _current_folder()
    repo_url = git.strip_credentials(studio.repo_url) if studio.repo_url else _inferred_repo_url(folder)
    if not repo_url:
        logger.debug("DVC_STUDIO_REPO_URL not found. %s", _SKIPPING)
        return None
    try:
        settings = config.read_settings(environ, folder)
    except ConfigError as error:
        _say_once(str(error))
        return None
    return _Place(studio=studio, token=studio.token, repo_url=repo_url, folder=folder, settings=settings)


def _arguments(asked: _Asked) -> config.StudioArguments:
    return config.StudioArguments(
        token=_secret(asked.token), url=_text(asked.url), repo_url=_text(asked.repo_url), offline=bool(asked.offline)
    )


def _dvc_config(section: JsonObject) -> config.DvcConfig:
    offline = section.get("offline")
    return config.DvcConfig(
        token=_secret(section.get("token")),
        url=_text(section.get("url")),
        repo_url=_text(section.get("repo_url")),
        offline=None if offline is None else str(offline),
    )


def _secret(value: Json) -> config.Secret | None:
    return config.Secret(str(value)) if value else None


def _text(value: Json) -> str | None:
    return str(value) if value else None


def _current_folder() -> Path | None:
    try:
        return Path.cwd()
    except OSError:  # it was removed
        return None


def _inferred_repo_url(folder: Path | None) -> str | None:
    logger.debug("DVC_STUDIO_REPO_URL not found. Trying to automatically find it.")
    repository = None if folder is None else git.read_git(folder, os.environ)
    if repository is None:
        _say_once(
            "Couldn't find a valid Studio Repo URL.\n"
            "You can try manually setting the environment variable `STUDIO_REPO_URL`."
        )
        return None
    if repository.remote_url is None:
        _say_once("No Git remote. Can't infer Studio repo URL.")
    return repository.remote_url


def _say_once(text: str | None) -> None:
    if text is not None and text not in _said:
        _said.add(text)
        logger.warning("%s", text)


def _options(place: _Place, experiment: Experiment, client: str) -> SessionOptions:
    """Describe a session.

    A local Studio is looked for again at delivery, because it may have another port by then; so neither its URL is
    written down nor its token handed over.
    """
    settings, studio = place.settings, place.studio
    local = studio.token_source == "local-studio"  # noqa: S105 - the source, no token
    return SessionOptions(
        spool=settings.spool,
        experiment=experiment,
        directory="dvclive",
        version=__version__,
        client=client,
        destination=Destination(
            url=None if local else studio.url,
            endpoint=studio.endpoint,
            config_folder=None if local or place.folder is None else str(place.folder),
            token=place.token.reveal,
        ),
        mode=settings.spool_mode,
        durability=settings.durability,
        quota_bytes=settings.quota_bytes,
        start_daemon=settings.daemon == "auto",
        fingerprint=config.fingerprint,
    )


# -- what


def _checked_body(said: _Said, repo_url: str) -> JsonObject | None:
    """Make the body that the stock client would post; ``None``, and a word in the log, where it would post none."""
    kind = said.event_type
    if not isinstance(kind, str) or kind not in EVENT_TYPES:
        logger.warning("Invalid `event_type`: %s", kind)
        return None
    if kind == "data" and said.step is None:
        logger.warning("Missing `step` in `data` event.")
        return None
    body = {"type": kind, "repo_url": repo_url, **said.identity}
    body |= {key: getattr(said, key) for key in ("params", "metrics", "machine") if getattr(said, key)}
    body |= _own_fields(kind, said)
    problem = problems(kind, body)
    if problem is not None:
        logger.warning("%s", problem)
        return None
    try:
        sendable: JsonObject = plain(body)
    except NotJsonError as error:
        logger.warning("%s", error)
        return None
    return sendable if _has_storable_step(sendable) else None


def _own_fields(kind: str, said: _Said) -> JsonObject:
    """The fields that only events of this type have."""
    if kind == "data":
        return {"step": said.step, **({"plots": said.plots} if said.plots else {})}
    if kind == "done":
        return {"experiment_rev": said.experiment_rev} if said.experiment_rev else {}
    message = said.message[:MAX_MESSAGE_CHARS] if isinstance(said.message, str) else said.message
    return {key: value for key, value in (("message", message), ("subdir", said.subdir)) if value}


def _has_storable_step(body: JsonObject) -> bool:
    step = body.get("step", 0)
    if isinstance(step, int) and -(2**63) <= step < 2**63:
        return True
    logger.warning("a step has 64 bits at most @ data['step']. Got %s", step)
    return False


def _event(body: JsonObject) -> Event:
    now = time.time()
    contents = {key: body[key] for key in ("metrics", "params", "plots") if key in body}
    files = Files(**contents) if contents else None
    machine = body.get("machine", {})
    if body["type"] == "data":
        return Data(time=now, step=int(body["step"]), machine=machine, files=files)
    if body["type"] == "done":
        return Done(time=now, experiment_rev=body.get("experiment_rev"), machine=machine, files=files)
    return Start(time=now, message=body.get("message"), subdir=body.get("subdir"), machine=machine, files=files)
