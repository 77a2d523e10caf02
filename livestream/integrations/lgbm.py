"""LightGBM: ``lightgbm.train(..., callbacks=[DVCLiveCallback()])``.

LightGBM does not tell a callback that the training has ended, so whoever began the ``Live`` ends it.
"""

from __future__ import annotations

from typing import Any

from livestream.live import Live


class DVCLiveCallback:
    """Logs the metrics of each iteration as one step."""

    def __init__(self, live: Live | None = None, **kwargs: Any) -> None:
        """Log to a ``Live``.

        Args:
            live: The ``Live``; else one is begun.
            kwargs: That one's arguments.
        """
        self.live = Live(**kwargs) if live is None else live

    def __call__(self, env: Any) -> None:
        """Log an iteration; a metric that is not the only one is named after its data set, too."""
        results = env.evaluation_result_list
        for data, metric, value, *_ in results:
            self.live.log_metric(f"{data}/{metric}" if len(results) > 1 else metric, value)
        self.live.next_step()
