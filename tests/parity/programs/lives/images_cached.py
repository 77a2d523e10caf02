"""cache_images: the folder of images is added to DVC when the run ends.

ask = ["experiments", "status"]
"""

from dvclive import Live
from PIL import Image

with Live(cache_images=True) as live:
    for step in range(3):
        live.log_image(f"samples/{step}.png", Image.new("L", (4, 4), step))
        live.next_step()
