"""A file a step, and one that every step overwrites.

ask = ["plots"]
"""

from dvclive import Live
from PIL import Image

with Live() as live:
    for step in range(4):
        live.log_image(f"samples/{live.step}.png", Image.new("L", (8, 8), 10 * step))
        live.log_image("newest.png", Image.new("L", (8, 8), 20 * step))
        live.next_step()
