"""Lightning Fabric: ``Fabric(loggers=DVCLiveLogger())``."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Mapping
from typing import Any

from torch import is_tensor

from livestream.integrations.naming import standardize_metric_name
from livestream.live import Live
from livestream.live.error import InvalidDataTypeError

try:
    from lightning.fabric.loggers.logger import Logger, rank_zero_experiment
    from lightning.fabric.utilities.logger import _add_prefix, _convert_params, _sanitize_callable_params
    from lightning.fabric.utilities.rank_zero import rank_zero_only
except ImportError:
    from lightning_fabric.loggers.logger import Logger, rank_zero_experiment
    from lightning_fabric.utilities.logger import _add_prefix, _convert_params, _sanitize_callable_params
    from lightning_fabric.utilities.rank_zero import rank_zero_only


class DVCLiveLogger(Logger):
    """Logs what Fabric logs, on rank 0."""

    LOGGER_JOIN_CHAR = "/"

    def __init__(
        self, run_name: str | None = None, prefix: str = "", experiment: Live | None = None, **kwargs: Any
    ) -> None:
        """Log to a ``Live``.

        Args:
            run_name: The logger's version, which the framework shows.
            prefix: Put before each metric's name, with a ``/``.
            experiment: The ``Live``; else one is begun when it is first needed.
            kwargs: That one's arguments.
        """
        super().__init__()
        self._version = run_name
        self._prefix = prefix
        self._experiment = experiment
        self._kwargs = kwargs

    @property
    def name(self) -> str:
        """The logger's name, as the framework shows it."""
        return "DvcLiveLogger"

    @property
    def version(self) -> int | str:
        """The run's name; empty where it has none."""
        return self._version or ""

    @property
    @rank_zero_experiment
    def experiment(self) -> Live:
        """The ``Live``, begun now if it was not; other ranks get the framework's dummy."""
        if self._experiment is None:
            self._experiment = Live(**self._kwargs)
        return self._experiment

    @rank_zero_only
    def log_metrics(
        self,
        metrics: Mapping[str, Any],
        step: int | None = None,
        sync: bool | None = True,  # noqa: FBT001, FBT002 - DVCLive's signature
    ) -> None:
        """Log metrics at a step.

        Args:
            metrics: Numbers, texts, or tensors of one element.
            step: The step; without one, or at step 0, the one after the last (as in DVCLive).
            sync: Whether the step's files are written now.

        Raises:
            ValueError: A value cannot be logged.
        """
        experiment = self.experiment
        experiment.step = step or experiment.step + 1
        for name, value in _add_prefix(metrics, self._prefix, self.LOGGER_JOIN_CHAR).items():
            plain = value.cpu().detach().item() if is_tensor(value) else value
            try:
                experiment.log_metric(standardize_metric_name(name, "dvclive.fabric"), plain)
            except InvalidDataTypeError:
                raise ValueError(
                    f"you tried to log {plain} which is currently not supported. Try a scalar/tensor."
                ) from None
        if sync:
            experiment.sync()

    @rank_zero_only
    def log_hyperparams(self, params: dict[str, Any] | Namespace) -> None:
        """Log hyperparameters; what a params.yaml cannot show becomes text."""
        self.experiment.log_params(self._sanitize_params(_sanitize_callable_params(_convert_params(params))))

    @rank_zero_only
    def finalize(self, status: str) -> None:  # noqa: ARG002 - Fabric's signature; how it ended is Live's to know
        """End the run, if one was begun."""
        if self._experiment is not None:
            self._experiment.end()

    @staticmethod
    def _sanitize_params(params: Mapping[str, Any]) -> dict[str, Any]:
        def is_shown(value: Any) -> bool:
            return not isinstance(value, Namespace) and getattr(value, "ndim", 0) <= 1

        return {name: value if is_shown(value) else str(value) for name, value in params.items()}

    def __getstate__(self) -> dict[str, Any]:
        """Travel to a worker process without the run."""
        return self.__dict__ | {"_experiment": None}
