// A small chart as the path of an SVG: first step to last, lowest to highest, whatever they are.

import { numberOf } from "./series.js";

/** The box that the path is drawn in: its units are stretched to the cell. */
export const WIDE = 100;
/** As WIDE, upwards. */
export const HIGH = 24;

/**
 * @param {{steps: number[], last: *[]}} chart As the API tells it.
 * @returns {string} A value that is no number breaks the line. Empty where there is no line.
 */
export function sparkPath({ steps, last }) {
  const values = last.map(numberOf);
  const finite = values.filter(Number.isFinite);
  if (finite.length < 2) return "";
  const low = Math.min(...finite);
  const high = Math.max(...finite);
  const across = WIDE / (steps.at(-1) - steps[0] || 1);
  const up = (HIGH - 2) / (high - low || 1);
  let isDown = false;
  return values
    .map((value, at) => {
      if (!Number.isFinite(value)) {
        isDown = false;
        return "";
      }
      const command = isDown ? "L" : "M";
      isDown = true;
      const y = high === low ? HIGH / 2 : HIGH - 1 - (value - low) * up;
      return `${command}${((steps[at] - steps[0]) * across).toFixed(1)} ${y.toFixed(1)}`;
    })
    .join("");
}
