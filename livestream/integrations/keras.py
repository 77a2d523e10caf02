"""Keras: ``model.fit(callbacks=[DVCLiveCallback()])``, with Keras 3 and any backend, or TensorFlow's own Keras."""

from __future__ import annotations

import os
from typing import Any

from livestream.integrations.naming import standardize_metric_name
from livestream.live import Live

if os.environ.get("TF_USE_LEGACY_KERAS") in {"1", "true", "True"}:  # TensorFlow's condition for its Keras being 2
    from tf_keras.callbacks import Callback
else:
    try:
        from keras.callbacks import Callback
    except ImportError:
        from tensorflow.keras.callbacks import Callback


class DVCLiveCallback(Callback):
    """Logs the metrics of each epoch, and ends the run with the training."""

    def __init__(
        self,
        save_weights_only: bool = False,  # noqa: FBT001, FBT002 - DVCLive's signature
        live: Live | None = None,
        **kwargs: Any,
    ) -> None:
        """Log to a ``Live``.

        Args:
            save_weights_only: Kept for those who pass it; DVCLive has no use for it either.
            live: The ``Live``; else one is begun.
            kwargs: That one's arguments.
        """
        super().__init__()
        self.save_weights_only = save_weights_only
        self.live = Live(**kwargs) if live is None else live

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Log the epoch's metrics as one step."""
        del epoch
        for name, value in (logs or {}).items():
            self.live.log_metric(standardize_metric_name(name, "dvclive.keras"), value)
        self.live.next_step()

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """End the run."""
        del logs
        self.live.end()
