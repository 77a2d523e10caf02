"""Arrays of each shape and type that Pillow makes an image of."""

import numpy as np
from dvclive import Live

random = np.random.default_rng(1)
with Live() as live:
    live.log_image("rgb.png", random.integers(0, 255, (20, 30, 3), dtype=np.uint8))
    live.log_image("rgba.png", random.integers(0, 255, (20, 30, 4), dtype=np.uint8))
    live.log_image("grey.png", random.integers(0, 255, (20, 30), dtype=np.uint8))
    live.log_image("two.png", random.integers(0, 255, (20, 30, 2), dtype=np.uint8))
    live.log_image("bits.png", random.integers(0, 255, (20, 30)) > 100)
    live.log_image("deep.png", random.integers(0, 65535, (20, 30), dtype=np.uint16))
    live.log_image("int32.png", random.integers(0, 255, (20, 30), dtype=np.int32))
    live.log_image("view.png", random.integers(0, 255, (40, 60, 3), dtype=np.uint8)[::2, ::-2])
    live.log_image("photo.jpg", random.integers(0, 255, (20, 30, 3), dtype=np.uint8))
    live.log_image("photo.jpeg", random.integers(0, 255, (20, 30), dtype=np.uint8))
    live.log_image("palette.gif", random.integers(0, 255, (20, 30, 3), dtype=np.uint8))
    live.log_image("some/where/deep.png", np.zeros((2, 2), dtype=np.uint8))
    live.next_step()
