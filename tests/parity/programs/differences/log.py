"""Who says what DVCLive's users read as warnings, and with which handlers.

row = "The log"
place = "plain"

[dvclive]
says = '''
dvclive ['StreamHandler']
livestream []
'''

[livestream]
says = '''
dvclive []
livestream []
'''
"""

import logging

from dvclive import Live

with Live(save_dvc_exp=False) as live:
    live.log_metric("loss", 1)
for name in ("dvclive", "livestream"):
    print(name, [type(handler).__name__ for handler in logging.getLogger(name).handlers])
