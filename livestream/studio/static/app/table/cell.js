// One cell: a value as people read it, against the baseline and the goal where there are any, and a flash when it
// changed. A cell is drawn again only when something that it shows is another.

import { asNumber, seriesNameOf } from "../core/cells.js";
import { difference } from "../core/compare.js";
import { formatAgo, formatDelta, formatTime, formatValue, MISSING } from "../core/format.js";
import { Component, h } from "../lib.js";
import { Chip } from "../parts/index.js";
import { clock } from "../parts/clock.js";
import { Delivery } from "../parts/delivery.js";
import { Spark } from "./spark.js";
import { Still } from "./still.js";

const MOST_SHOWN = 300;
const MOST_TITLE = 2_000;
const FLASH_MS = 1_500;

/** Cells of leaves: what a value is worth is told by `mark`. */
export class Cell extends Still {
  /**
   * @param {object} props
   * @param {import("../core/columns.js").Placed} props.column
   * @param {*} props.value Of the row, undefined where it has none; for facts the row itself.
   * @param {*} props.base The baseline's value, from which the difference is shown; undefined: show the value.
   * @param {""|"better"|"worse"|"same"} props.mark Against the baseline, by the goal.
   * @param {boolean} props.best
   * @param {number|undefined} props.flash When it changed, by performance.now().
   * @param {number} props.position Of the column among all, from 1.
   * @param {string|undefined} props.id Given to the cell under the cursor.
   * @param {number|null} props.spark The experiment whose course is drawn behind the value.
   * @param {number|null} props.step To which step the experiment has come, for the course.
   */
  render({ column, value, base, mark, best, flash, position, id, spark, step }) {
    const shown = column.kind === "facts" ? factOf(column.key, value) : leafOf(value, base);
    const name = `cell kind-${column.kind} ${shown.className} ${mark} ${best ? "best" : ""} ${id ? "here" : ""}`;
    return h(
      "div",
      { class: name, style: column.style, role: "gridcell", "aria-colindex": position, id, title: shown.title },
      flash !== undefined && h(Flash, { key: flash, time: flash }),
      spark !== null && h(Spark, { experiment: spark, name: seriesNameOf(column.key), step }),
      shown.content,
      best && h("span", { class: "unseen" }, " best"),
    );
  }
}

/** Made anew for every change, so that the colour begins anew; one that comes into sight late shows what is left. */
class Flash extends Component {
  shouldComponentUpdate() {
    return false;
  }

  render({ time }) {
    const age = performance.now() - time;
    if (age > FLASH_MS) return null;
    return h("i", { class: "flash", "aria-hidden": "true", style: { animationDelay: `${-Math.round(age)}ms` } });
  }
}

/** A time that grows older while one looks. */
function Ago({ time }) {
  return h("span", { class: "text" }, formatAgo(time, clock()));
}

function factOf(key, row) {
  switch (key) {
    case "status":
      return { className: "chip", content: h(Chip, { status: row.status }) };
    case "step":
      return leafOf(row.step, undefined);
    case "updated":
    case "created":
      return { className: "", title: formatTime(row[key]), content: h(Ago, { time: row[key] }) };
    case "delivery":
      return { className: "chip", content: h(Delivery, { row }) };
    case "client":
      return leafOf(row.clients?.join(", ") || undefined, undefined);
    default:
      return leafOf(row[key] ?? undefined, undefined);
  }
}

/** @param {*} base Of the baseline; undefined: show the value itself. */
function leafOf(value, base) {
  if (value === undefined || value === null) return { className: "missing", content: MISSING };
  const number = asNumber(value);
  const isOdd = number !== null && !Number.isFinite(number);
  const kind = isOdd ? "number odd" : typeof value === "number" ? "number" : "";
  const className = value === base ? `${kind} same` : kind;
  const delta = base === undefined ? null : difference(value, base);
  if (delta === null) {
    return { className, title: cut(String(value), MOST_TITLE), content: textOf(formatValue(value)) };
  }
  return { className: `${className} delta`, title: `${value} against ${base}`, content: textOf(formatDelta(delta)) };
}

function textOf(text) {
  return h("span", { class: "text" }, cut(text, MOST_SHOWN));
}

function cut(text, most) {
  return text.length > most ? `${text.slice(0, most)}…` : text;
}
