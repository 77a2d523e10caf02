"""Pillow's images of several modes, and those that it opened."""

from dvclive import Live
from PIL import Image, PngImagePlugin

with Live() as live:
    for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "I", "I;16"):
        live.log_image(f"{mode.replace(';', '_')}.png", Image.new(mode, (7, 5), 1))
    for mode in ("1", "L", "RGB", "CMYK", "YCbCr"):
        live.log_image(f"{mode}.jpg", Image.new(mode, (7, 5)))
    live.log_image("rgba.gif", Image.new("RGBA", (7, 5), (1, 2, 3, 128)))

    texts = PngImagePlugin.PngInfo()
    texts.add_text("Author", "somebody")
    Image.new("RGB", (9, 9), "red").save("source.png", pnginfo=texts, dpi=(300, 300))
    Image.new("RGB", (9, 9), "red").save("source.jpg", quality=30, dpi=(72, 72))
    live.log_image("opened.png", Image.open("source.png"))
    live.log_image("opened.jpg", Image.open("source.jpg"))
    live.log_image("converted.png", Image.open("source.jpg"))
    frames = [Image.new("RGB", (9, 9), colour) for colour in ("red", "green")]
    frames[0].save("moving.gif", save_all=True, append_images=frames[1:], duration=50)
    live.log_image("moving.gif", Image.open("moving.gif"))
