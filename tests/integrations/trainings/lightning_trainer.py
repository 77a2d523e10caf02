"""XOR, four rows, a step each: plain, resumed, with checkpoints as artifacts, and with a test after the fit."""

from __future__ import annotations

from pathlib import Path

import torch
from dvclive import Live
from dvclive.lightning import DVCLiveLogger
from lightning.pytorch import LightningModule, Trainer, seed_everything
from lightning.pytorch.callbacks import LearningRateMonitor, ModelCheckpoint
from torch.utils.data import DataLoader, TensorDataset

torch.set_num_threads(1)
seed_everything(7, verbose=False)

ROWS = torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
LABELS = torch.tensor([[1.0], [0.0], [0.0], [1.0]])
QUIET = {"enable_progress_bar": False, "enable_model_summary": False, "accelerator": "cpu", "logger": False}


class Xor(LightningModule):
    def __init__(self, width: int = 4, sizes: tuple[int, ...] = (2, 1), optimizer: type = torch.optim.SGD) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.layers = torch.nn.Sequential(torch.nn.Linear(2, width), torch.nn.ReLU(), torch.nn.Linear(width, 1))
        self.optimizer = optimizer

    def loss(self, batch):
        rows, labels = batch
        return torch.nn.functional.mse_loss(self.layers(rows), labels)

    def training_step(self, batch, index):
        loss = self.loss(batch)
        self.log("train_loss", loss, on_step=True, on_epoch=True)
        self.log("scale", 2.5)
        return loss

    def validation_step(self, batch, index):
        self.log("val_loss", self.loss(batch))

    def test_step(self, batch, index):
        self.log("test_loss", self.loss(batch))

    def configure_optimizers(self):
        return self.optimizer(self.parameters(), lr=0.1)


def rows():
    return DataLoader(TensorDataset(ROWS, LABELS), batch_size=1)


def fit():
    logger = DVCLiveLogger(dir="fitted", prefix="xor", report="md", exp_name="fitted")
    trainer = Trainer(max_epochs=3, log_every_n_steps=3, enable_checkpointing=False, **QUIET | {"logger": logger})
    trainer.fit(Xor(), rows(), rows())
    print("=", logger.experiment.step, logger.name, logger.version)


def resume():
    for again in (False, True):
        logger = DVCLiveLogger(dir="resumed", resume=again, report="html", save_dvc_exp=False)
        trainer = Trainer(max_epochs=2, log_every_n_steps=1, enable_checkpointing=False, **QUIET | {"logger": logger})
        trainer.fit(Xor(), rows())
        print("=", logger.experiment.step)


def checkpoints(log_model, folder):
    with Live(folder, save_dvc_exp=False) as live:
        for again in range(2):
            logger = DVCLiveLogger(experiment=live, log_model=log_model)
            checkpoint = ModelCheckpoint(dirpath=f"{folder}-model", monitor="val_loss", save_top_k=2)
            callbacks = [checkpoint, LearningRateMonitor("step")]
            trainer = Trainer(max_epochs=3, log_every_n_steps=2, callbacks=callbacks, **QUIET | {"logger": logger})
            model = Xor(width=4 + again)
            trainer.fit(model, rows(), rows())
            trainer.test(model, rows(), verbose=False)
        live.log_artifact(checkpoint.best_model_path, type="model", name="best")
    print("=", sorted(path.name for path in Path(f"{folder}-model").iterdir()))


fit()
resume()
checkpoints("all", "all")
checkpoints(True, "best")
