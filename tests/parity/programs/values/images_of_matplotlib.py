"""Figures, which are closed when they are logged."""

import matplotlib.pyplot as plt
from dvclive import Live

with Live() as live:
    for step in range(2):
        figure, axes = plt.subplots(figsize=(2, 1))
        axes.plot([0, step, 2])
        live.log_image("figure.png", figure)
        print(plt.get_fignums())
        figure, axes = plt.subplots(figsize=(2, 1))
        axes.bar([0, 1], [step, 2])
        live.log_image("bars.jpg", figure)
        live.next_step()
