"""The file of an image that takes a while to encode: when `dvc exp save` in mid-run would find it.

row = "Images and `dvc exp save` in mid-run"
place = "plain"

[dvclive]
says = '''
True
True
'''

[livestream]
says = '''
False
True
'''
"""

from pathlib import Path

import numpy as np
from dvclive import Live

noise = np.random.default_rng(0).integers(0, 256, (3000, 3000, 3), dtype=np.uint8)
file = Path("dvclive/plots/images/noise.png")
with Live(save_dvc_exp=False) as live:
    live.log_image("noise.png", noise)
    print(file.exists())
print(file.exists())
