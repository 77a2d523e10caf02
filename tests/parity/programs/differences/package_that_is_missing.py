"""An image without Pillow.

row = "A package that is missing"
place = "plain"

[dvclive]
says = '''
import of PIL halted; None in sys.modules
'''

[livestream]
says = '''
log_image needs pillow, which is not installed: python -m pip install 'livestream[images]'
'''
"""

import sys

from dvclive import Live

sys.modules["PIL"] = None  # as if it were not installed
with Live(save_dvc_exp=False) as live:
    try:
        live.log_image("sample.png", "sample.jpg")
    except ImportError as error:
        print(error)
