"""Paths of images: read again, written again, with the suffix of what they were."""

from pathlib import Path

from dvclive import Live
from PIL import Image

Image.new("RGB", (11, 3), "blue").save("blue.png")
Image.new("RGB", (11, 3), "blue").save("blue.jpg", quality=20)
Image.new("RGB", (11, 3), "blue").save("blue.bmp")
Image.new("RGBA", (11, 3), "blue").save("blue.webp")

Path("text.txt").write_text("no picture")

with Live() as live:
    live.log_image("text.png", "blue.png")
    live.log_image("path.png", Path("blue.png"))
    live.log_image("no_suffix", "blue.png")
    live.log_image("no_suffix_either", Path("blue.jpg"))
    live.log_image("other.jpg", "blue.png")
    live.log_image("bitmap.png", "blue.bmp")
    live.log_image("web.png", "blue.webp")
    for name, path in (("none.png", "missing.png"), ("bitmap", "blue.bmp"), ("text.png", "text.txt")):
        try:
            live.log_image(name, path)
        except Exception as error:
            print(name, type(error).__name__, error)
