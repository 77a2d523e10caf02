"""Optuna: ``study.optimize(objective, callbacks=[DVCLiveCallback()])``; each trial is an experiment of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from livestream.live import Live


class DVCLiveCallback:
    """Logs each trial's values and parameters, and saves it as a DVC experiment."""

    def __init__(self, metric_name: str | Sequence[str] = "metric", **kwargs: Any) -> None:
        """Say how the values are called.

        Args:
            metric_name: One name for all, or one for each of the study's objectives.
            kwargs: Arguments of each trial's ``Live``; an experiment is saved whatever ``save_dvc_exp`` says.
        """
        kwargs.pop("save_dvc_exp", None)
        self.metric_name = metric_name
        self.live_kwargs = {"dir": "dvclive-optuna"} | kwargs

    def __call__(self, study: Any, trial: Any) -> None:
        """Log a trial that has ended; one without values, which failed, has its parameters all the same.

        Raises:
            ValueError: There are not as many names as values.
        """
        del study
        with Live(**self.live_kwargs) as live:
            values = trial.values
            if values is not None:
                live.summary.update(zip(self._names(len(values)), values, strict=True))
            live.log_params(trial.params)

    def _names(self, count: int) -> list[str]:
        given = self.metric_name
        if isinstance(given, str):
            return [given] if count == 1 else [f"{given}_{index}" for index in range(count)]
        if len(given) != count:
            raise ValueError(
                f"Running multi-objective optimization with {count} objective values, but {len(given)} names "
                "specified. Match objective values and names, or use default broadcasting."
            )
        return list(given)
