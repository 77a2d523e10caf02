"""Draws a page of its parts. A part that cannot be drawn is left out and said; the others are not its hostages.

(DVCLive raises from ``next_step`` where a plot names a column that is not there, a metric's values are texts in a
Markdown report, or a folder has images with numbers and with names.)
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Final, TypeAlias, TypeVar

from livestream.live.report.gallery import page_order
from livestream.live.report.parts import Part, Renderer

_Drawn = TypeVar("_Drawn")

Skip: TypeAlias = Callable[[str, object], None]
"""Is told the part's name and why it is not shown."""

RELOAD_S: Final = 5
"""After so many seconds the HTML page loads itself again."""

_BLANK: Final = "*The report of this run comes here with its first step.*"


def html(parts: Iterable[Part], file: Path, skip: Skip) -> str:
    """Draw an HTML page: images last, in the order of their numbers.

    Args:
        parts: In their order.
        file: Where the page will be.
        skip: See there.
    """
    from dvc_render.html import HTML  # noqa: PLC0415 - only for runs with a report

    page = HTML(refresh_seconds=RELOAD_S)

    def draw(part: Part) -> tuple[str, str]:
        renderer = part.make()
        return renderer.SCRIPTS, renderer.generate_html(html_path=file)

    for scripts, element in _drawn(_images_last(parts), draw, skip):
        page.with_scripts(scripts)
        page.with_element(element)
    text: str = page.embed()
    return text


def markdown(parts: Iterable[Part], file: Path | None, skip: Skip) -> str:
    """Draw a Markdown page.

    Args:
        parts: In their order.
        file: Where the page will be: charts are files in the folder ``static`` beside it. ``None``: they are in the
            page.
        skip: See there.
    """
    from dvc_render.markdown import Markdown  # noqa: PLC0415 - only for runs with a report

    page = Markdown()
    for element in _drawn(parts, lambda part: _element(part, file, skip), skip):
        page.with_element(element)
    text: str = page.embed()
    return text


def _drawn(parts: Iterable[Part], draw: Callable[[Part], _Drawn], skip: Skip) -> Iterator[_Drawn]:
    for part in parts:
        try:
            drawn = draw(part)
        except Exception as error:  # noqa: BLE001 - what a user logged can fail in dvc-render anywhere
            skip(part.name, error)
        else:
            yield drawn


def _images_last(parts: Iterable[Part]) -> Iterator[Part]:
    images = []
    for part in parts:
        if part.image:
            images.append(part)
        else:
            yield part
    yield from sorted(images, key=lambda part: page_order(part.name))


def _element(part: Part, file: Path | None, skip: Skip) -> str:
    from dvc_render.vega import VegaRenderer  # noqa: PLC0415 - only for runs with a report
    from dvc_render.vega_templates import LinearTemplate  # noqa: PLC0415 - only for runs with a report

    renderer = part.make()
    if not isinstance(renderer, VegaRenderer):
        return _text(renderer, file)
    if not isinstance(renderer.template, LinearTemplate):
        skip(part.name, "Markdown has charts of the template 'linear' only")
        return ""
    return _chart(renderer, file)


def _chart(renderer: Renderer, file: Path | None) -> str:
    """Draw a chart in a figure of its own: dvc-render draws into pyplot's present one, and closes it.

    That would be the user's, if there is one; the user's is the present one again after this.
    """
    from matplotlib import pyplot as plt  # noqa: PLC0415 - only for runs with such a report

    with warnings.catch_warnings():  # of what dvc-render asks of pyplot: the user can do nothing about it
        warnings.simplefilter("ignore")
        figure = plt.figure()
        try:
            return _text(renderer, file)
        finally:
            plt.close(figure)


def _text(renderer: Renderer, file: Path | None) -> str:
    text: str = renderer.generate_markdown(report_path=file)
    return text


class Notebook:
    """A notebook's output that the report is shown in, where ``Live`` was made."""

    def __init__(self) -> None:
        """Show that a report will come."""
        from IPython import display  # noqa: PLC0415 - only in a notebook

        self._ipython: Any = display  # which has no types for these
        self._output = self._ipython.display(self._ipython.Markdown(_BLANK), display_id=True)

    def show(self, text: str) -> None:
        """Put a page in place of what is shown."""
        if self._output is not None:
            self._output.update(self._ipython.Markdown(text))
