"""What DVCLive's own integrations fail at, or destroy."""

from __future__ import annotations

from pathlib import Path

import torch
from dvclive import Live
from dvclive.huggingface import DVCLiveCallback
from dvclive.lightning import DVCLiveLogger
from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.demos.boring_classes import BoringModel
from transformers import PretrainedConfig, PreTrainedModel, TrainingArguments
from transformers import Trainer as HuggingFaceTrainer

torch.set_num_threads(1)

Path("model/notes").mkdir(parents=True)
Path("model/README.md").write_text("what these are")
Path("model/earlier.ckpt").write_text("of a run before this one")
logger = DVCLiveLogger(log_model=True, dir="kept", save_dvc_exp=False)
trainer = Trainer(
    logger=logger,
    max_steps=2,
    callbacks=[ModelCheckpoint("model")],
    accelerator="cpu",
    enable_progress_bar=False,
    enable_model_summary=False,
)
trainer.fit(BoringModel())
print("=", sorted(path.name for path in Path("model").iterdir()))


class Config(PretrainedConfig):
    model_type = "line"


class Line(PreTrainedModel):
    config_class = Config

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.line = torch.nn.Linear(1, 1)
        self.post_init()

    def forward(self, x, labels=None):
        logits = self.line(x)
        return {"loss": torch.nn.functional.mse_loss(logits, labels), "logits": logits}


data = [{"x": torch.tensor([float(i)]), "labels": torch.tensor([0.0])} for i in range(2)]
arguments = TrainingArguments("out", max_steps=1, use_cpu=True, disable_tqdm=True, report_to=[], save_strategy="no")
callback = DVCLiveCallback(Live("last", save_dvc_exp=False), log_model=True)
HuggingFaceTrainer(Line(Config()), arguments, train_dataset=data, callbacks=[callback]).train()
print("=", sorted(path.name for path in Path("last/artifacts/last").iterdir()))
