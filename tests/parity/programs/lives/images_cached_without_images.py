"""cache_images in a run without images, and in a folder without DVC."""

from dvclive import Live

with Live(cache_images=True) as live:
    live.log_metric("loss", 1)
