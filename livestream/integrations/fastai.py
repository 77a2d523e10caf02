"""fastai: ``learn.fit_one_cycle(2, cbs=[DVCLiveCallback()])``."""

from __future__ import annotations

from typing import Any

from fastai.callback.core import Callback

from livestream.integrations.frames import calling
from livestream.integrations.naming import standardize_metric_name
from livestream.live import Live


class DVCLiveCallback(Callback):
    """Logs a learner's settings, the metrics of each epoch, and the model that ``SaveModelCallback`` saved."""

    def __init__(
        self,
        with_opt: bool = False,  # noqa: FBT001, FBT002 - DVCLive's signature
        live: Live | None = None,
        **kwargs: Any,
    ) -> None:
        """Log to a ``Live``.

        Args:
            with_opt: Kept for those who pass it; DVCLive has no use for it either.
            live: The ``Live``; else one is begun.
            kwargs: That one's arguments.
        """
        super().__init__()
        self.with_opt = with_opt
        self.live = Live(**kwargs) if live is None else live
        self.freeze_stage_ended = False

    def before_fit(self) -> None:
        """Log the learner's settings."""
        if self._only_looks():
            return
        frozen = getattr(self.opt, "frozen_idx", -1)
        self.live.log_params(
            {
                "model": type(self.learn.model).__qualname__,
                "batch_size": getattr(self.dls, "bs", None),
                "batch_per_epoch": len(getattr(self.dls, "train", [])),
                "frozen": bool(frozen),
                "frozen_idx": frozen,
                "transforms": str(getattr(self.dls, "tfms", None)),
            }
        )

    def after_epoch(self) -> None:
        """Log the epoch's metrics; an epoch that a resumed fit passes over has none, and is no step."""
        if self._only_looks():
            return
        names_and_values = zip(self.learn.recorder.metric_names, self.learn.recorder.log, strict=False)
        metrics = [(name, value) for name, value in names_and_values if name != "epoch"]
        for name, value in metrics:
            self.live.log_metric(standardize_metric_name(name, "dvclive.fastai"), float(value))
        if metrics:
            self.live.next_step()

    def after_fit(self) -> None:
        """End the run; ``fine_tune`` fits twice, and the run goes on after the first, with frozen layers."""
        if self._only_looks():
            return
        if not self.freeze_stage_ended and {"fine_tune", "fit_one_cycle"} <= set(calling()):
            self.freeze_stage_ended = True
            return
        if hasattr(self, "save_model") and self.save_model.last_saved_path:
            self.live.log_artifact(str(self.save_model.last_saved_path))
        self.live.end()

    def _only_looks(self) -> bool:
        """Whether fastai fits to find a learning rate, or to predict."""
        return hasattr(self, "lr_finder") or hasattr(self, "gather_preds")
