"""report="md"."""

from dvclive import Live
from PIL import Image

with Live(report="md") as live:
    live.log_params({"lr": 0.1})
    for step in range(2):
        live.log_metric("train/loss", 1 / (step + 1))
        live.log_image("sample.png", Image.new("RGB", (4, 4), (step, 0, 0)))
        live.next_step()
    live.log_plot("curve", [{"epoch": 1, "error": 2}, {"epoch": 2, "error": 1}], x="epoch", y="error", title="Curve")
