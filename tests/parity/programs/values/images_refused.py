"""Images, and names of images, that are not taken.

place = "plain"
"""

import numpy as np
from dvclive import Live
from PIL import Image

picture = Image.new("RGB", (4, 4))
REFUSED = [
    ("no_suffix", picture), ("upper.PNG", picture), ("web.webp", picture), ("bitmap.bmp", picture), ("", picture),
    (".png", picture), ("rgba.jpg", Image.new("RGBA", (4, 4))), ("none.png", None), ("number.png", 1), ("list.png", [[1]]),
    ("bytes.png", b"\x89PNG"), ("float.png", np.zeros((4, 4, 3))), ("wide.png", np.zeros((4, 4, 5), dtype=np.uint8)),
    ("many.png", np.zeros((2, 4, 4, 3), dtype=np.uint8)), ("no_suffix_either", np.zeros((4, 4), dtype=np.uint8)),
]  # fmt: skip

with Live() as live:
    for name, value in REFUSED:
        try:
            live.log_image(name, value)
        except Exception as error:
            print(repr(name), type(error).__name__, error)
        else:
            print(repr(name), "taken")
    live.log_image("good.png", picture)
