"""Transformers: ``Trainer(callbacks=[DVCLiveCallback()])``.

Transformers has a callback of its own for DVCLive (``report_to="dvclive"``), which runs on this package under DVCLive's
name (``livestream.install_as_dvclive``).
"""

from __future__ import annotations

import inspect
import os
from typing import Any, Literal

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from transformers.trainer import Trainer

from livestream.integrations.naming import standardize_metric_name
from livestream.live import Live


class DVCLiveCallback(TrainerCallback):
    """Logs a trainer's arguments, what it logs, and its checkpoints or its last model as DVC artifacts."""

    def __init__(
        self,
        live: Live | None = None,
        log_model: Literal["all"] | bool | None = None,  # noqa: FBT001 - DVCLive's signature
        **kwargs: Any,
    ) -> None:
        """Log to a ``Live``.

        Args:
            live: The ``Live``; else one is begun.
            log_model: ``True``: the last (or best) model is an artifact. ``"all"``: the output folder is, at each save.
            kwargs: The arguments of the ``Live`` that is begun.
        """
        super().__init__()
        self._log_model = log_model
        self.live = Live(**kwargs) if live is None else live

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Log the arguments."""
        del state, control, kwargs
        self.live.log_params(args.to_dict())

    def on_log(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Log what the trainer logs, as one step."""
        del args, state, control
        for name, value in kwargs["logs"].items():
            self.live.log_metric(standardize_metric_name(name, "dvclive.huggingface"), value)
        self.live.next_step()

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Track the checkpoints."""
        del control, kwargs
        if self._log_model == "all" and state.is_world_process_zero:
            self.live.log_artifact(args.output_dir)

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Track the model, and end the run."""
        del control
        if self._log_model is True and state.is_world_process_zero:
            name = "best" if args.load_best_model_at_end else "last"
            folder = os.path.join(args.output_dir, name)
            _saver(args, kwargs).save_model(folder)
            self.live.log_artifact(folder, name=name, type="model", copy=True)
        self.live.end()


def _saver(args: TrainingArguments, news: dict[str, Any]) -> Trainer:
    """Make a trainer that only saves: a callback is not told of the one that calls it.

    Args:
        args: The training's.
        news: What the callback was told: the model, and its processor, which Transformers 4 called ``tokenizer``.
    """
    known = inspect.signature(Trainer.__init__).parameters
    processor = {name: news.get(name) for name in ("processing_class", "tokenizer") if name in known}
    return Trainer(args=args, model=news.get("model"), eval_dataset=["none"], **processor)
