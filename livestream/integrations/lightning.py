"""Lightning: ``Trainer(logger=DVCLiveLogger())``, with the package ``lightning`` or ``pytorch_lightning``.

Lightning logs several times a step, and callbacks of others log as well. The files are written only where Lightning has
a step's or an epoch's metrics complete.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from livestream.integrations.fabric import DVCLiveLogger as FabricDVCLiveLogger
from livestream.integrations.frames import calling
from livestream.live import Live

try:
    from lightning.pytorch.callbacks.model_checkpoint import ModelCheckpoint
    from lightning.pytorch.loggers.logger import Logger
    from lightning.pytorch.loggers.utilities import _scan_checkpoints
    from lightning.pytorch.utilities import rank_zero_only
except ImportError:
    from pytorch_lightning.callbacks.model_checkpoint import ModelCheckpoint
    from pytorch_lightning.loggers.logger import Logger
    from pytorch_lightning.loggers.utilities import _scan_checkpoints
    from pytorch_lightning.utilities import rank_zero_only

_COMPLETE: Final = frozenset({"update_train_step_metrics", "update_train_epoch_metrics", "log_eval_end_metrics"})
"""Lightning's functions that log what belongs to one step or epoch."""


class DVCLiveLogger(Logger, FabricDVCLiveLogger):
    """Logs what Lightning logs, on rank 0, and checkpoints as DVC artifacts."""

    def __init__(
        self,
        run_name: str | None = "dvclive_run",
        prefix: str = "",
        log_model: str | bool = False,  # noqa: FBT001, FBT002 - DVCLive's signature
        experiment: Live | None = None,
        **kwargs: Any,
    ) -> None:
        """Log to a ``Live``.

        Args:
            run_name: The logger's version, which Lightning shows.
            prefix: Put before each metric's name, with a ``/``.
            log_model: ``True``: the folder of checkpoints and the best one are artifacts when the training ends.
                ``"all"``: the folder is after each checkpoint, too.
            experiment: The ``Live``; else one is begun when it is first needed.
            kwargs: That one's arguments.
        """
        super().__init__(run_name=run_name, prefix=prefix, experiment=experiment, **kwargs)
        self._log_model = log_model
        self._checkpoint_callback: ModelCheckpoint | None = None
        self._logged_model_time: dict[str, float] = {}

    @rank_zero_only
    def log_metrics(
        self,
        metrics: Mapping[str, Any],
        step: int | None = None,
        sync: bool | None = False,  # noqa: FBT001, FBT002 - DVCLive's signature
    ) -> None:
        """Log metrics at a step, and write its files if it is complete or ``sync`` says so.

        Raises:
            ValueError: A value cannot be logged.
        """
        super().log_metrics(metrics, step, sync or not _COMPLETE.isdisjoint(calling()))

    @rank_zero_only
    def after_save_checkpoint(self, checkpoint_callback: ModelCheckpoint) -> None:
        """Take note of a new checkpoint."""
        if self._log_model is not True and self._log_model != "all":
            return
        self._checkpoint_callback = checkpoint_callback
        self._scan(checkpoint_callback)
        if self._log_model == "all" or checkpoint_callback.save_top_k == -1:
            self._track(checkpoint_callback)

    @rank_zero_only
    def finalize(self, status: str) -> None:
        """Track the checkpoints that were asked for, and end the run."""
        callback = self._checkpoint_callback
        if callback is not None:
            self._scan(callback)
            self._track(callback)
            self.experiment.log_artifact(callback.best_model_path, name="best", type="model", copy=True)
        super().finalize(status)

    def _scan(self, callback: ModelCheckpoint) -> None:
        for time_s, path, *_ in _scan_checkpoints(callback, self._logged_model_time):
            self._logged_model_time[path] = time_s

    def _track(self, callback: ModelCheckpoint) -> None:
        """Track the folder of checkpoints, without those that an earlier run left there.

        DVCLive removes all other files of the folder, and stumbles over folders in it; here they stay.
        """
        if callback.dirpath and not self.experiment._resume:  # noqa: SLF001 - of this package
            for path in Path(callback.dirpath).glob(f"*{callback.FILE_EXTENSION}"):
                if path.is_file() and str(path) not in self._logged_model_time:
                    path.unlink(missing_ok=True)
        self.experiment.log_artifact(callback.dirpath)
