"""A Markdown report with a plot whose template it cannot draw.

row = "What a Markdown report cannot show"
place = "plain"

[dvclive]
warns = [
    "UserWarning:`generate_markdown` can only be used with `LinearTemplate`",
    "RuntimeWarning:Second argument 'y' is ambiguous: could be a format string but is in 'data'; using as data.  If it was intended as data, set the format string to an empty string to suppress this warning.  If it was intended as a format string, explicitly pass the x-values as well.  Alternatively, rename the entry in 'data'."
]

[livestream]
warns = [
    "WARNING:livestream.report_part_not_shown"
]
"""

from dvclive import Live
from PIL import Image

with Live(report="md", save_dvc_exp=False) as live:
    live.log_params({"lr": 0.1})
    for step in range(2):
        live.log_metric("train/loss", 1 / (step + 1))
        live.log_image("sample.png", Image.new("RGB", (4, 4), (step, 0, 0)))
        live.next_step()
    live.log_sklearn_plot("confusion_matrix", [0, 1], [1, 1])
    live.log_plot("curve", [{"x": 1, "y": 2}, {"x": 2, "y": 1}], x="x", y="y", title="Curve")
