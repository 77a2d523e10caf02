// Which part of the table is drawn: a window of lines and columns around what is in sight. Pure arithmetic.
//
// Windows move in strides, so that most frames of a scroll draw nothing at all, and reach a little beyond the edge.
// When lines come or go above, the scroll moves by as much as most of the lines in sight did, so that they stay where
// they are; when they all move differently (another order), it stays.

/** Height of a line. */
export const LINE_PX = 32;
/** How far a line stands in for each group above it. */
export const INDENT_PX = 16;
const STRIDE = 4;
const BEYOND_LINES = 4;
const BEYOND_PX = 120;

/**
 * @param {{top: number, height: number}} box Pixels scrolled and seen.
 * @param {number} count Lines in all.
 * @returns {{first: number, end: number}} `end` is behind the last.
 */
export function lineWindow({ top, height }, count) {
  const first = Math.floor((top / LINE_PX - BEYOND_LINES) / STRIDE) * STRIDE;
  const end = Math.ceil(((top + height) / LINE_PX + BEYOND_LINES) / STRIDE) * STRIDE;
  return { first: Math.max(0, Math.min(first, count)), end: Math.min(count, Math.max(end, 0)) };
}

/**
 * @param {import("../core/columns.js").Side} side The columns that scroll.
 * @param {number} from Pixels on the canvas, as `to`.
 * @returns {{first: number, end: number}}
 */
export function columnWindow({ columns }, from, to) {
  const first = firstBehind(columns, from - BEYOND_PX);
  let end = first;
  while (end < columns.length && columns[end].left < to + BEYOND_PX) end += 1;
  return { first, end };
}

/** Index of the first column whose right edge lies behind a place. */
function firstBehind(columns, place) {
  let low = 0;
  let high = columns.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (columns[middle].left + columns[middle].width > place) high = middle;
    else low = middle + 1;
  }
  return low;
}

/**
 * By how many lines what was in sight has moved.
 *
 * @param {{key: string}[]} before
 * @param {{key: string}[]} after
 * @param {number} first In sight before; `end` is behind the last.
 */
export function shiftOf(before, after, first, end) {
  const seen = before.slice(first, end);
  if (before === after || !seen.length || seen.every(({ key }, at) => after[first + at]?.key === key)) return 0;
  const places = new Map(after.map(({ key }, at) => [key, at]));
  const votes = new Map();
  seen.forEach(({ key }, at) => {
    if (!places.has(key)) return;
    const shift = places.get(key) - (first + at);
    votes.set(shift, (votes.get(shift) ?? 0) + 1);
  });
  const [shift, count] = [...votes].sort((one, other) => other[1] - one[1])[0] ?? [0, 0];
  return count * 2 > seen.length ? shift : 0;
}
