from __future__ import annotations

import optuna
from dvclive.optuna import DVCLiveCallback

optuna.logging.set_verbosity(optuna.logging.WARNING)


def one(trial):
    return trial.suggest_float("x", -1, 1) ** 2 + trial.suggest_int("n", 1, 3)


def two(trial):
    return trial.suggest_float("x", -1, 1), trial.suggest_categorical("c", ["a", "b"]) == "a"


def study(directions):
    return optuna.create_study(sampler=optuna.samplers.RandomSampler(7), directions=directions)


study(["minimize"]).optimize(one, n_trials=2, callbacks=[DVCLiveCallback(save_dvc_exp=True)])
study(["minimize"] * 2).optimize(two, n_trials=2, callbacks=[DVCLiveCallback("loss", dir="broadcast")])
study(["minimize"] * 2).optimize(two, n_trials=1, callbacks=[DVCLiveCallback(["left", "right"], dir="named")])
try:
    study(["minimize"] * 2).optimize(two, n_trials=1, callbacks=[DVCLiveCallback(["one"], dir="wrong")])
except ValueError as error:
    print("=", str(error).replace(",or", ", or"))
