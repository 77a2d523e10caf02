"""The files of runs as columns of the table."""

from __future__ import annotations

from browser_stage import Tab
from media_stage import image
from playwright.async_api import expect
from studio_stage import body

SAMPLE = "dvclive/plots/images/sample"
CONFUSION = {"data": [{"actual": "a", "predicted": "a"}], "props": {"template": "confusion"}}


async def test_images_and_whole_plots_are_columns_with_their_counts_live(tab: Tab) -> None:
    post, page = tab.studio.client.post, tab.page
    plots = {f"{SAMPLE}/0.png": image(10), f"{SAMPLE}/1.png": image(20), "dvclive/plots/sklearn/cm.json": CONFUSION}
    await post(body(name="one", step=1, plots=plots))
    await tab.open("?rows=flat&layout=table")
    row = page.get_by_role("row").filter(has_text="one")
    for title, label in ((f"files[{SAMPLE}]", "sample"), ("files[dvclive/plots/sklearn/cm.json]", "cm.json")):
        await expect(page.locator(".head-label").and_(page.get_by_title(title))).to_have_text(label)
    await expect(row.get_by_role("gridcell", name="2", exact=True)).to_have_count(1)

    await post(body(name="one", step=2, plots={f"{SAMPLE}/2.png": image(30)}))

    await expect(row.get_by_role("gridcell", name="3", exact=True)).to_have_count(1, timeout=15_000)
