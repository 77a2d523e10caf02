"""The project around a run: its Git repository and its DVC repository, which a run reads, and leaves an experiment in.

dvc takes 0.4 to 0.8 s to import, so what can be answered from files is: where the repositories are, which commit is
checked out, which names of experiments are taken. dvc itself is asked only to make a repository where there is none, in
pipelines, for artifacts, and for the experiment that a run is saved as. DVC's rules for what belongs together hold here
as well: its root is the nearest ``.dvc`` up to the mount point; Git's repository is that of DVC's root; ``core.no_scm``
(``dvc init --no-scm``) hides Git.

Whatever dvc raises is logged, under the names that DVCLive gives it, and the training goes on without.
"""

from __future__ import annotations

import importlib.util
import logging
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self, TypeVar

import msgspec

from livestream import config, git, names

if TYPE_CHECKING:
    from dvc.repo import Repo

logger = logging.getLogger("livestream")

T = TypeVar("T")

_SILENCED_BY_DVC: Final = ("asyncio", "aiohttp")
"""Loggers whose level dvc's import sets to CRITICAL."""
_HIDES_GIT_FROM_DVC: Final = ("GIT_DIR", "GIT_WORK_TREE")
"""Variables that Git obeys and DVC does not."""
_NO_DVC: Final = (
    "livestream.dvc_missing: dvc is not installed, so `dvc init`, saved experiments and tracked artifacts are skipped: "
    "python -m pip install 'livestream[dvc]'"
)


class Stage(msgspec.Struct, frozen=True):
    """A stage of a pipeline, or a ``.dvc`` file: what DVC calls it, and the command that makes its outputs, if any."""

    addressing: str
    cmd: str | None


class Project:
    """What is around one run; without arguments, nothing.

    Attributes:
        dvc_root: The folder that holds ``.dvc``.
        git: What DVC sees of Git; ``None`` outside Git, and where ``core.no_scm`` hides it.
        inside_pipeline: ``dvc repro`` or ``dvc exp run`` runs this process.
        inside_experiment: ``dvc exp run`` does.
    """

    def __init__(
        self,
        dvc_root: Path | None = None,
        git_info: git.GitInfo | None = None,
        environ: Mapping[str, str] | None = None,
        *,
        hides_git: bool = False,
    ) -> None:
        self.dvc_root = dvc_root
        self.git = git_info
        self._environ: Mapping[str, str] = {} if environ is None else environ
        self.inside_pipeline = bool(self._environ.get("DVC_ROOT"))
        self.inside_experiment = self.inside_pipeline and bool(self._environ.get("DVC_EXP_BASELINE_REV"))
        self._hides_git = hides_git
        self._repo: Repo | None = None
        self._missing_said = False

    @classmethod
    def find(cls, environ: Mapping[str, str], cwd: Path) -> Self:
        """Find the repositories that a folder is in, from their files alone."""
        root = _find_dvc_root(Path(os.path.realpath(cwd)))
        if root is None:
            return cls(None, _read_git(cwd, environ), environ)
        said = config.read_dvc_config(root, environ).no_scm
        if said is not None and said.lower() == "true":
            return cls(root, None, environ, hides_git=True)
        around = _read_git(root, environ)
        if around is None:  # DVC does not take a root outside Git: another repository may be nearer
            inner = _read_git(cwd, environ)
            return cls(root if inner is None else None, inner, environ)
        return cls(root, around, environ)

    @property
    def tracks(self) -> bool:
        """Whether there is a repository that DVC can work in."""
        return self.dvc_root is not None and (self.git is not None or self._hides_git)

    # -- before the run

    def prepare(self) -> None:
        """Make a Git repository a DVC repository, as DVCLive does; without dvc, say that it is missing."""
        if self.dvc_root is not None or self.git is None or not self._has_dvc():
            return
        root = self.git.root
        if self._guarded("_init_dvc", lambda: _init_repo(root, self._environ)):
            self.dvc_root = root

    def experiment_name(self, wanted: str | None) -> str:
        """Name the experiment: as wanted or as DVC_EXP_NAME says if that can be, else at random.

        A scheduler's job is no name here: a second run in it, or a requeued one that does not resume, is another one.
        ``dvc exp run`` has decided already: its name holds whatever is wanted, and may be taken (``--force``).
        """
        said = self._environ.get("DVC_EXP_NAME") or None
        name = said or wanted if self.inside_experiment else wanted or said
        if name is not None:
            if names.name_problem(name) is not None:
                logger.warning(
                    "Invalid exp name %s, the exp name must follow rules in https://git-scm.com/docs/git-check-ref-format",
                    name,
                )
            elif not self.inside_experiment and self._is_taken(name):
                logger.warning("Experiment conflicts with existing experiment '%s'.", name)
            else:
                return name
        name = names.random_name()
        while self._is_taken(name):
            name = names.random_name()
        return name

    def _is_taken(self, name: str) -> bool:
        if self.git is None or self.git.head is None:
            return False
        reference = f"refs/exps/{self.git.head[:2]}/{self.git.head[2:]}/{name}"
        return git.has_reference(self.git.root, _without_git_variables(self._environ), reference)

    # -- with dvc

    @property
    def repo(self) -> Repo | None:
        """DVC's repository, opened when it is first asked for; ``None`` where there is none, or no dvc.

        Raises:
            DvcException: DVC cannot open it.
        """
        if self._repo is None and self.tracks and self._has_dvc():
            self._repo = _open_repo(self.dvc_root, self._environ)
        return self._repo

    def close(self) -> None:
        """Let go of DVC's repository; it is opened again when it is asked for."""
        repo, self._repo = self._repo, None
        if repo is not None:
            self._guarded("close", repo.close)

    def overlapping_stage(self, path: str) -> Stage | None:
        """Give the stage that has a path, or a folder above it, among its outputs.

        A dvc.yaml, and outside pipelines everything, is looked up only where DVC's files nearby mention its folders:
        a warning less is better than an import of dvc in every run.
        """
        certain = self.inside_pipeline and os.path.basename(path) != "dvc.yaml"
        if not self.tracks or not (certain or self._may_be_output(path)):
            return None
        return self._guarded("_init_dvc", lambda: self._stage_of(path))

    def _may_be_output(self, path: str) -> bool:
        """Whether the dvc.yaml files above ``path``, up to the root, or .dvc files beside them, may speak of it."""
        target = Path(os.path.abspath(path))
        for folder in target.parents:
            parts = target.relative_to(folder).parts
            if (folder / f"{parts[0]}.dvc").exists():
                return True
            folders = parts[:-1] if parts[-1] == "dvc.yaml" else parts  # which DVC takes for no output itself
            text = _read(folder / "dvc.yaml") if folders else b""
            if b"stages" in text and any(os.fsencode(part) in text for part in (*folders, "${")):
                return True
            if folder == self.dvc_root:
                break
        return False

    def _stage_of(self, path: str) -> Stage | None:
        target = Path(os.path.abspath(path))
        around = {str(target), *map(str, target.parents)}
        for stage in self.repo.index.stages if self.repo else ():
            if any(out.protocol == "local" and out.fs_path in around for out in stage.outs):
                return Stage(stage.addressing, stage.cmd)
        return None

    def add(self, path: str) -> str | None:
        """Put a file or folder into DVC's cache, as ``dvc add`` does.

        Returns:
            The ``.dvc`` file that stands for it now, relative to the working folder; ``None`` where that failed.
        """

        def add() -> str | None:
            return None if self.repo is None else str(self.repo.add(path)[0].addressing)

        return self._guarded("cache", add)

    def track(self, directory: str, dvc_file: str | None) -> None:
        """Put new files of a run into Git's index, so that ``dvc exp run`` saves them with its experiment."""
        self._guarded("ensure_dir_is_tracked", lambda: self._track_folder(directory))
        if dvc_file is not None:
            self._guarded("add", lambda: self.repo and self.repo.scm.add(dvc_file))

    def _track_folder(self, directory: str) -> None:
        if self.repo is None:
            return
        top = self.repo.scm.root_dir
        own, outs = os.path.abspath(directory), [out.fs_path for out in self.repo.index.outs]
        new = [os.path.join(top, path) for path in self.repo.scm.untracked_files()]
        ours = [path for path in new if _is_below(path, own) and not any(_is_below(path, out) for out in outs)]
        if ours:
            self.repo.scm.add(ours)

    def save(self, name: str | None, include_untracked: Iterable[str], message: str | None) -> str | None:
        """Save the working folder as a DVC experiment, as ``dvc exp save --force`` does.

        While it works, dvc puts away what has changed and takes it out again: nothing may write to tracked files.

        Returns:
            The experiment's commit; ``None`` where none was made, which is logged.
        """
        files = list(include_untracked)

        def save() -> str | None:
            if self.repo is None:
                return None
            revision = self.repo.experiments.save(name=name, include_untracked=files, force=True, message=message)
            return None if revision is None else str(revision)

        try:
            return self._guarded("save_dvc_exp", save)
        finally:
            self.close()

    def _guarded(self, doing: str, action: Callable[[], T]) -> T | None:
        try:
            return action()
        except Exception as error:  # noqa: BLE001 - trouble of dvc's or Git's never stops a training
            logger.warning("Error in %s: %s", doing, error)
            return None

    def _has_dvc(self) -> bool:
        if sys.modules.get("dvc") is not None:
            return True
        found = importlib.util.find_spec("dvc")
        if found is not None and found.origin is not None:  # a folder that happens to be called dvc has no origin
            return True
        if not self._missing_said:
            self._missing_said = True
            logger.warning(_NO_DVC)
        return False


def _find_dvc_root(folder: Path) -> Path | None:
    for parent in (folder, *folder.parents):
        if (parent / ".dvc").is_dir():
            return parent
        if os.path.ismount(parent):
            return None
    return None


def _read_git(folder: Path, environ: Mapping[str, str]) -> git.GitInfo | None:
    return git.read_git(folder, _without_git_variables(environ))


def _without_git_variables(environ: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environ.items() if name not in _HIDES_GIT_FROM_DVC}


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def _is_below(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip(os.sep) + os.sep)


def _init_repo(root: Path, environ: Mapping[str, str]) -> bool:
    with _undisturbed(environ):
        from dvc.repo import Repo  # noqa: PLC0415 - 0.5 s, see the top

        Repo.init(str(root)).close()
    return True


def _open_repo(root: Path | None, environ: Mapping[str, str]) -> Repo:
    with _undisturbed(environ):
        from dvc.repo import Repo  # noqa: PLC0415 - 0.5 s, see the top

        return Repo(str(root))


@contextmanager
def _undisturbed(environ: Mapping[str, str]) -> Iterator[None]:
    """Import dvc without its effects on the training: it wraps the standard streams, and silences others' loggers.

    Its own log is kept to warnings, as DVCLive does, unless DVCLIVE_LOGLEVEL says otherwise.
    """
    streams = sys.stdout, sys.stderr
    levels = [(logging.getLogger(name), logging.getLogger(name).level) for name in _SILENCED_BY_DVC]
    try:
        import dvc  # noqa: F401, PLC0415 - 0.5 s, see the top

        logging.getLogger("dvc").setLevel(environ.get("DVCLIVE_LOGLEVEL", "WARNING").upper())
        yield
    finally:
        sys.stdout, sys.stderr = streams
        for touched, level in levels:
            touched.setLevel(level)
