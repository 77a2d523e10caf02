"""XGBoost: ``xgboost.train(..., callbacks=[DVCLiveCallback()])``."""

from __future__ import annotations

import warnings
from typing import Any

from xgboost.callback import TrainingCallback

from livestream.live import Live


class DVCLiveCallback(TrainingCallback):
    """Logs the metrics of each iteration as one step, and ends the run with the training."""

    def __init__(self, metric_data: str | None = None, live: Live | None = None, **kwargs: Any) -> None:
        """Log to a ``Live``.

        Args:
            metric_data: Deprecated: log only this data set's metrics, without its name.
            live: The ``Live``; else one is begun.
            kwargs: That one's arguments.
        """
        super().__init__()
        if metric_data is not None:
            warnings.warn("`metric_data` is deprecated and will be removed", DeprecationWarning, stacklevel=2)
        self._metric_data = metric_data
        self.live = Live(**kwargs) if live is None else live

    def after_iteration(self, model: Any, epoch: int, evals_log: dict[str, dict[str, list[Any]]]) -> bool:
        """Log an iteration; the training goes on."""
        del model, epoch
        if self._metric_data:
            evals_log = {"": evals_log[self._metric_data]}
        for data, metrics in evals_log.items():
            for name, values in metrics.items():
                self.live.log_metric(f"{data}/{name}" if data else name, values[-1])
        self.live.next_step()
        return False

    def after_training(self, model: Any) -> Any:
        """End the run."""
        self.live.end()
        return model
