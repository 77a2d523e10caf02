"""report="html", with everything that a report shows.

ask = ["experiments"]
"""

from dvclive import Live
from PIL import Image

with Live(report="html") as live:
    live.log_params({"lr": 0.1, "layers": [1, 2], "net": {"depth": 3}})
    for step in range(3):
        live.log_metric("train/loss", 1 / (step + 1))
        live.log_metric("accuracy", step / 3)
        live.log_metric("phase", "warmup")
        live.log_metric("broken", float("nan"))
        live.log_image("sample.png", Image.new("RGB", (4, 4), (step, 0, 0)))
        live.log_image(f"by_step/{step}.jpg", Image.new("RGB", (4, 4), (step, 0, 0)))
        live.next_step()
    live.log_sklearn_plot("confusion_matrix", [0, 1], [1, 1])
    live.log_sklearn_plot("det", [0, 1, 1], [0.2, 0.1, 0.9], name="detection", title="Detection")
    live.log_plot("curve", [{"x": 1, "y": 2}, {"x": 2, "y": 1}], x="x", y="y", title="Curve")
