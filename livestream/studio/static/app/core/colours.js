// One colour a run, the same in the table and in every chart.
//
// Twelve hues are what people can still tell apart as thin lines; golden angles give more, but then neighbours that
// only a colour meter knows apart. They differ in lightness too, for eyes that see hues less well. A run prefers the
// slot of its id, so that it looks alike today and tomorrow and to everybody; where two of the runs that are shown
// together prefer the same one, the later takes the next that is free. Only with more than twelve do colours repeat.
//
// Lightness, chroma and hue are of OKLCH, which is even to the eye; each has 3:1 at least against paper and cards.

/** Light, then dark: lightness, chroma, hue. The most pleasant stand first, and neighbours are far apart. */
const SLOTS = [
  [[0.53, 0.19, 262], [0.7, 0.15, 262]], // blue
  [[0.64, 0.17, 50], [0.78, 0.15, 60]], // orange
  [[0.53, 0.14, 152], [0.74, 0.15, 152]], // green
  [[0.6, 0.22, 352], [0.74, 0.17, 352]], // pink
  [[0.53, 0.23, 298], [0.66, 0.18, 298]], // violet
  [[0.6, 0.1, 192], [0.8, 0.11, 185]], // teal
  [[0.5, 0.19, 25], [0.66, 0.19, 25]], // red
  [[0.62, 0.125, 88], [0.85, 0.14, 92]], // ochre
  [[0.42, 0.13, 330], [0.6, 0.13, 330]], // plum
  [[0.63, 0.13, 235], [0.78, 0.11, 235]], // sky
  [[0.63, 0.17, 133], [0.85, 0.17, 130]], // lime
  [[0.43, 0.075, 55], [0.62, 0.09, 60]], // brown
];

/** Runs that can be shown together before a colour comes again. */
export const SLOT_COUNT = SLOTS.length;

/** @param {number} id @returns {number} The slot that a run has where no other one is in the way. */
export function preferredSlot(id) {
  return ((id % SLOT_COUNT) + SLOT_COUNT) % SLOT_COUNT;
}

/**
 * @param {number[]} ids Of the runs that are shown together, in the order in which they were chosen.
 * @returns {Map<number, number>} The slot of each: the first twelve differ, and so does every further dozen.
 */
export function slotsOf(ids) {
  const slots = new Map();
  let taken = new Set();
  for (const id of ids) {
    if (slots.has(id)) continue;
    let slot = preferredSlot(id);
    while (taken.has(slot)) slot = (slot + 1) % SLOT_COUNT;
    taken.add(slot);
    slots.set(id, slot);
    if (taken.size === SLOT_COUNT) taken = new Set();
  }
  return slots;
}

/** @param {number} slot @param {boolean} isDark @returns {string} A CSS colour. */
export function colourOfSlot(slot, isDark) {
  const [lightness, chroma, hue] = SLOTS[slot][isDark ? 1 : 0];
  return `oklch(${lightness} ${chroma} ${hue})`;
}
