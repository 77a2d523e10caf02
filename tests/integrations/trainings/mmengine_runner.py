from __future__ import annotations

import numpy as np
import torch
from mmengine.config import Config
from mmengine.visualization import DVCLiveVisBackend, Visualizer

torch.set_num_threads(1)
visualizer = Visualizer(
    vis_backends=[{"type": "DVCLiveVisBackend", "init_kwargs": {"save_dvc_exp": False}}], save_dir="mm", name="once"
)
backend = visualizer.get_backend("DVCLiveVisBackend")
assert isinstance(backend, DVCLiveVisBackend)
visualizer.add_config(Config({"lr": 0.1, "stages": [1, (2, 3)], "mean": np.float32(0.5), "std": np.ones(2)}))
for step in range(4):
    visualizer.add_scalar("loss", 1.0 / (step + 1), step)
    visualizer.add_scalars({"acc/top": step / 4, "lr": 0.1}, step=step)
    if step % 2 == 0:
        visualizer.add_image("seen", np.full((8, 8, 3), step * 20, np.uint8), step)
with open(f"{visualizer.get_backend('DVCLiveVisBackend')._save_dir}/made.json", "w") as file:
    file.write("{}")
visualizer.close()
