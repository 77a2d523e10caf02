"""Callbacks and loggers that feed a ``Live`` from a framework, under DVCLive's names and with its metrics and steps.

    lightning, fabric                    DVCLiveLogger
    fastai, huggingface, keras           DVCLiveCallback, called at the framework's own events
    lgbm, xgb, optuna                    DVCLiveCallback, called after each iteration or trial

A module is imported by whoever uses its framework, which it imports. Frameworks come without types that could be
checked here (pyproject.toml), so what they hand over is ``Any``.
"""
