"""Projects, and the Git references by which experiments were pushed."""

from __future__ import annotations

import re
import sqlite3
from typing import Final

import msgspec

from livestream.studio.repositories import project_name, shows
from livestream.studio.store.base import Project
from livestream.studio.store.errors import ProjectExistsError
from livestream.studio.update import Identity

_FOLDERS: Final = "SELECT subdir FROM project WHERE repository = ?"
_ADD: Final = """
INSERT INTO project (name, repository, repo_url, subdir, automatic, created_us) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (repository, subdir) DO NOTHING
"""
_DROP: Final = "DELETE FROM project WHERE id = ?"
_REFERENCE: Final = re.compile(r"refs/exps/([0-9a-f]{2})/([0-9a-f]{38})/(.+)")


def is_shown(connection: sqlite3.Connection, repository: str, subdir: str) -> bool:
    """Whether any project shows what is in a folder of a repository; "" is of no folder."""
    return any(shows(folder, subdir) for (folder,) in connection.execute(_FOLDERS, (repository,)).fetchall())


def automatic_project(identity: Identity, time_us: int) -> Project:
    """Give the project that comes with a repository's first experiment."""
    name = project_name(identity.repo_url)
    return Project(id=0, name=name, repository=identity.repository, repo_url=identity.repo_url, created_us=time_us)


def insert_project(connection: sqlite3.Connection, project: Project) -> Project:
    """Add a project, and give it with its id.

    Raises:
        ProjectExistsError: One of this repository and folder is there.
    """
    row = (
        project.name,
        project.repository,
        project.repo_url,
        project.subdir,
        project.automatic,
        project.created_us,
    )
    cursor = connection.execute(_ADD, row)
    if not cursor.rowcount:
        folder = f", folder {project.subdir!r}" if project.subdir else ""
        raise ProjectExistsError(f"there is a project of {project.repository}{folder}")
    return msgspec.structs.replace(project, id=cursor.lastrowid or 0)


def delete_project(connection: sqlite3.Connection, project: int) -> bool:
    """Take a project away; False if there is none."""
    return bool(connection.execute(_DROP, (project,)).rowcount)


def experiment_of(repository: str, reference: str) -> Identity | None:
    """Say which experiment ``refs/exps/<2>/<38>/<name>`` means; None for a reference of another kind."""
    match = _REFERENCE.fullmatch(reference)
    if match is None:
        return None
    return Identity(repository=repository, repo_url="", baseline_sha=match[1] + match[2], name=match[3])
