"""The report: one page of everything that a run has logged, as HTML, Markdown or a notebook's output.

dvc-render draws it, as it does for DVCLive, so the page is DVCLive's byte for byte. DVCLive draws it in each step from
the files, which costs more with each step, and for Markdown a second. Here it is drawn from memory, and so seldom that
it takes a twentieth of the time at most: after a drawing that took ``t`` seconds none follows for ``max(5, 20 t)``
seconds, but where the user asks for one, and at the end. (The page reloads itself each 5 s.)

    opening    whether there can be a report, and which
    report     what is told to it, and when it is drawn
    series     one metric's rows, all of them or an even selection
    scalars    the rows of all metrics, within a bound
    gallery    which images are shown
    plots      which custom and scikit-learn plots are shown
    parts      the page's parts in their order
    drawing    parts to pages

What a page holds is bounded, because DVCLive's embeds everything, and 100,000 steps of 100 metrics are a page of 600 MB
that no browser opens. Below the bounds (``MAX_ROWS``, ``MAX_IMAGES``, ``MAX_IMAGE_BYTES``, ``MAX_PLOT_ROWS``) the page
is DVCLive's; above them histories are thinned evenly, with their extremes kept, and the oldest images and plots are
left out. Memory is bounded by the same numbers, and the files of the run hold all of it.
"""

from __future__ import annotations

from livestream.live.report.opening import open_report
from livestream.live.report.report import Report

__all__ = ["Report", "open_report"]
