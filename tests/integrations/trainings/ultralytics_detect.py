from __future__ import annotations

import importlib.metadata
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType, SimpleNamespace

# There is no CPU build of torchvision beside ours of torch. Ultralytics asks for its version and takes one function of
# it, of which it has its own.
version_of = importlib.metadata.version
importlib.metadata.version = lambda name: "0.28.0" if name == "torchvision" else version_of(name)
sys.modules["torchvision"] = torchvision = ModuleType("torchvision")
torchvision.__spec__ = ModuleSpec("torchvision", None)

import numpy as np
import torch
from PIL import Image
from ultralytics import YOLO
from ultralytics.utils.nms import TorchNMS

torchvision.ops = SimpleNamespace(nms=TorchNMS.nms)
torch.set_num_threads(1)
noise = np.random.default_rng(7)
for part in ("train", "val"):
    Path(f"data/images/{part}").mkdir(parents=True)
    Path(f"data/labels/{part}").mkdir(parents=True)
    for index in range(4):
        pixels = noise.integers(0, 256, (32, 32, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(f"data/images/{part}/{index}.png")
        Path(f"data/labels/{part}/{index}.txt").write_text("0 0.5 0.5 0.4 0.4\n1 0.3 0.3 0.2 0.2\n")
Path("data.yaml").write_text(f"path: {Path.cwd()}/data\ntrain: images/train\nval: images/val\nnames: [disc, box]\n")
model = YOLO("yolov8n.yaml")
model.train(data="data.yaml", epochs=2, imgsz=32, batch=4, device="cpu", workers=0, seed=7, amp=False, project="runs")
