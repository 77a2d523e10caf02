// What a person looks at, as a value, and that value as the query of an address: the address is the view.
//
// Only what differs from the defaults is written, so that addresses stay short, and a parameter that is unknown or
// cannot be read is dropped, so that an address from another version still opens.

/**
 * @typedef {object} View
 * @property {number|null} project Only this project's experiments; null: all.
 * @property {"both"|"table"|"plots"} layout
 * @property {"git"|"flat"} grouping Branch > commit > experiment, or experiments alone.
 * @property {boolean} commits Also commits that have no experiment.
 * @property {{key: string, falling: boolean}[]} sort By the first, equals by the next.
 * @property {string} query Text and conditions of the query box.
 * @property {string[]} filters Conditions made by the filter menu.
 * @property {string[]} paused Those of them that are not applied now.
 * @property {string[]} statuses Only these.
 * @property {"all"|"live"|"selected"|"deleted"} scope
 * @property {string[]} hidden Keys of columns, or the start of several ("metrics", "params[params.yaml].optimizer").
 * @property {string[]} order Moves, one after the other, two texts each: what was moved (as in `hidden`), and before what
 *   ("end": behind all of its kind). A list of all keys would be an address of kilobytes.
 * @property {string[]} pinned Keys of columns that stay at the left.
 * @property {Object<string, number>} widths Pixels by key.
 * @property {number|null} baseline Id of the experiment that the others are compared with.
 * @property {boolean} delta Show differences to the baseline.
 * @property {Object<string, "up"|"down">} goals Which way of a metric is better, by key.
 * @property {number[]} selected Ids, in the order in which they were chosen.
 * @property {string[]} closed Keys of groups of rows that are folded.
 * @property {string} search In names of plots.
 * @property {string} x "step", "relative", "time", or the name of a metric.
 * @property {number} smoothing Of the moving average, 0 (none) to 0.999.
 * @property {boolean} logX
 * @property {boolean} logY
 * @property {boolean} outliers Whether outliers stretch the scale.
 * @property {string} group Key of a param by which runs are drawn as one line (mean with min and max); "": each alone.
 * @property {string[]} favourites Names of plots that stay on top.
 * @property {string[]} folded Prefixes of plots that are folded.
 * @property {string} full Name of the plot that fills the screen; "": none.
 * @property {Object<string, [number, number]>} zoom First and last x, by the name of the plot.
 * @property {number|null} step Of the images; null: the newest.
 */

const text = { write: (value) => value, read: (word) => word };
const flag = { write: () => "1", read: (word) => word === "1" };
const off = { write: () => "0", read: (word) => word !== "0" };
const id = { write: String, read: (word) => whole(word) };
const texts = { write: (value) => value.map(quote).join(","), read: (word) => split(word) };
const ids = { write: (value) => value.join(","), read: (word) => word.split(",").map(whole).filter((one) => one !== null) };

const oneOf = (...words) => ({ write: text.write, read: (word) => (words.includes(word) ? word : undefined) });

const sorts = {
  write: (value) => texts.write(value.map((one) => (one.falling ? "-" : "") + one.key)),
  read: (word) => split(word).map((one) => ({ key: one.replace(/^-/, ""), falling: one.startsWith("-") })),
};

/** A dictionary as name:value pairs; the value is what stands after the last colon. */
const pairs = (write, read) => ({
  write: (value) => texts.write(Object.entries(value).map(([name, one]) => `${name}:${write(one)}`)),
  read: (word) =>
    Object.fromEntries(
      split(word)
        .map((one) => [one.slice(0, one.lastIndexOf(":")), read(one.slice(one.lastIndexOf(":") + 1))])
        .filter(([name, value]) => name && value !== undefined),
    ),
});

const fraction = {
  write: String,
  read: (word) => (Number(word) >= 0 && Number(word) < 1 ? Number(word) : undefined),
};
const span = pairs(
  (value) => value.join("~"),
  (word) => {
    const [first, last] = word.split("~").map(Number);
    return Number.isFinite(first) && Number.isFinite(last) && first < last ? [first, last] : undefined;
  },
);
const pixels = pairs(String, (word) => (whole(word) > 0 ? whole(word) : undefined));
const goals = pairs(text.write, (word) => (word === "up" || word === "down" ? word : undefined));

/** Field, name in the address, default, and how it is written and read. */
const FIELDS = [
  ["project", "project", null, id],
  ["layout", "layout", "both", oneOf("both", "table", "plots")],
  ["grouping", "rows", "git", oneOf("git", "flat")],
  ["commits", "commits", false, flag],
  ["sort", "sort", [], sorts],
  ["query", "q", "", text],
  ["filters", "filter", [], texts],
  ["paused", "paused", [], texts],
  ["statuses", "status", [], texts],
  ["scope", "show", "all", oneOf("all", "live", "selected", "deleted")],
  ["hidden", "hide", [], texts],
  ["order", "order", [], texts],
  ["pinned", "pin", [], texts],
  ["widths", "width", {}, pixels],
  ["baseline", "baseline", null, id],
  ["delta", "delta", false, flag],
  ["goals", "goal", {}, goals],
  ["selected", "select", [], ids],
  ["closed", "closed", [], texts],
  ["search", "plot", "", text],
  ["x", "x", "step", text],
  ["smoothing", "smooth", 0, fraction],
  ["logX", "logx", false, flag],
  ["logY", "logy", false, flag],
  ["outliers", "outliers", true, off],
  ["group", "group", "", text],
  ["favourites", "star", [], texts],
  ["folded", "fold", [], texts],
  ["full", "full", "", text],
  ["zoom", "zoom", {}, span],
  ["step", "step", null, id],
];

/** @returns {View} */
export function defaultView() {
  return Object.fromEntries(FIELDS.map(([field, , value]) => [field, structuredClone(value)]));
}

/**
 * @param {View} view
 * @param {string} others A query whose parameters that are no fields of a view are kept, as `id` of the compare page.
 * @returns {string} A query with its "?", or "" where all is default.
 */
export function viewToQuery(view, others = "") {
  const query = new URLSearchParams(others);
  for (const [, name] of FIELDS) query.delete(name);
  for (const [field, name, value, kind] of FIELDS) {
    if (!same(view[field], value)) query.set(name, kind.write(view[field]));
  }
  const written = query.toString().replaceAll("%2C", ",").replaceAll("%3A", ":").replaceAll("%7E", "~");
  return written ? `?${written}` : "";
}

/**
 * @param {string} query
 * @returns {View}
 */
export function viewFromQuery(query) {
  const view = defaultView();
  const given = new URLSearchParams(query);
  for (const [field, name, , kind] of FIELDS) {
    const word = given.get(name);
    const read = word === null ? undefined : kind.read(word);
    if (read !== undefined && read !== null) view[field] = read;
  }
  return view;
}

/** Whether two values of JSON are the same. */
export function same(one, other) {
  return one === other || JSON.stringify(one) === JSON.stringify(other);
}

function whole(word) {
  return /^-?\d{1,15}$/.test(word) ? Number(word) : null;
}

/** A comma separates texts; one within a text is doubled by a backslash before it. */
function quote(one) {
  return one.replaceAll("\\", "\\\\").replaceAll(",", "\\,");
}

function split(word) {
  const found = word.match(/(?:\\.|[^,\\])+/g) ?? [];
  return found.map((one) => one.replace(/\\(.)/g, "$1"));
}
