"""What a run leaves with DVC: cached files, and at its end an experiment. Nothing of it is ever in the way."""

from __future__ import annotations

import logging
import os

from livestream.live.options import LiveOptions
from livestream.live.project import Project

logger = logging.getLogger("livestream")

_WITHOUT_GIT = "Can't save experiment without a Git Repo.\nCreate a Git repo (`git init`) and commit (`git commit`)."
_WITHOUT_COMMIT = "Can't save experiment to an empty Git Repo.\nAdd a commit (`git commit`) to save experiments."
_IN_REPRO = "Ignoring `save_dvc_exp` because `dvc repro` is running.\nUse `dvc exp run` to save experiment."
_IN_EXPERIMENT = "Ignoring `save_dvc_exp` because `dvc exp run` is running"
_SKIPPED = "Skipping `dvc add %s` because it is already being tracked automatically as an output of the DVC pipeline."
_OVERLAP = "'%s' is in outputs of stage '%s'.\nRemove it from outputs to make DVCLive work as expected."


class Saving:
    """Whether, and with what, a run is saved as a DVC experiment.

    Attributes:
        saves: ``end`` saves an experiment.
    """

    def __init__(self, options: LiveOptions, project: Project) -> None:
        """Say what stands in the way, as DVCLive says it."""
        self._options = options
        self._project = project
        self._files: list[str] = []
        self.saves = options.save_dvc_exp and _can_save(project)
        if self.saves:
            self._files.append(options.directory)
        if options.writes_dvcyaml and (stage := project.overlapping_stage(options.dvc_file)) is not None:
            logger.warning(_OVERLAP, options.dvc_file, stage.addressing)

    def cache(self, path: str) -> None:
        """Put a file or folder into DVC's cache; what it was is said where a pipeline tracks it already."""
        project = self._project
        if not project.tracks:
            logger.warning("A DVC repo is required to cache files. Skipping `cache(%s)`.", path)
            return
        if project.inside_pipeline and self._is_tracked(path):
            return
        dvc_file = project.add(path)
        if dvc_file is not None and self.saves:
            self._files += [dvc_file, os.path.join(os.path.dirname(dvc_file), ".gitignore")]

    def _is_tracked(self, path: str) -> bool:
        stage = self._project.overlapping_stage(path)
        if stage is not None and stage.cmd:
            logger.info(_SKIPPED, path)
            return True
        advice = ", add it as an output of the pipeline stage."
        if stage is not None:
            advice = (
                f":\n1. Run `dvc remove {stage.addressing}` to stop tracking it outside the pipeline."
                "\n2. Add it as an output of the pipeline stage."
            )
        logger.warning("To track '%s' automatically in the DVC pipeline%s", path, advice)
        return False

    def save(self, name: str | None) -> str | None:
        """Save the experiment, or add its files to the one that ``dvc exp run`` saves.

        Returns:
            The experiment's commit; ``None`` where none was made.
        """
        options = self._options
        dvc_file = options.dvc_file if options.writes_dvcyaml else None
        if self._project.inside_experiment:
            self._project.track(options.directory, dvc_file)
            self._project.close()
        if not self.saves:
            return None
        files = self._files if dvc_file is None else [*self._files, dvc_file]
        return self._project.save(name, files, options.message)


def _can_save(project: Project) -> bool:
    if project.inside_pipeline:
        if project.inside_experiment:
            logger.info(_IN_EXPERIMENT)
        else:
            logger.warning(_IN_REPRO)
        return False
    if project.git is None:
        logger.warning(_WITHOUT_GIT)
        return False
    if project.git.head is None:
        logger.warning(_WITHOUT_COMMIT)
        return False
    return project.dvc_root is not None  # else it has been said why there is none
