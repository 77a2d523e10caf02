// What part of the canvas is in sight. It is kept beside the state of the component: a scroll that stays within the
// drawn window changes numbers and draws nothing.

import { useLayoutEffect, useRef } from "../lib.js";
import { LINE_PX, shiftOf } from "./window.js";

/**
 * @param {{current: Element}} scroller
 * @param {{current: {isDrawn?: (sight: object) => boolean}}} live `isDrawn`: whether all in sight is in the document.
 * @param {() => void} redraw
 * @returns {{top: number, left: number, width: number, height: number}} Pixels; changed in place.
 */
export function useSight(scroller, live, redraw) {
  const sight = useRef({ top: 0, left: 0, width: 0, height: 0 }).current;
  useLayoutEffect(() => {
    const element = scroller.current;
    let frame = 0;
    const look = () => {
      frame = 0;
      if (!live.current.isDrawn(sight)) redraw();
    };
    const onScroll = () => {
      sight.top = element.scrollTop;
      sight.left = element.scrollLeft;
      frame ||= requestAnimationFrame(look);
    };
    const measure = () => {
      if (sight.width === element.clientWidth && sight.height === element.clientHeight) return;
      sight.width = element.clientWidth;
      sight.height = element.clientHeight;
      redraw();
    };
    const watcher = new ResizeObserver(measure);
    measure();
    watcher.observe(element);
    element.addEventListener("scroll", onScroll, { passive: true });
    return () => {
      watcher.disconnect();
      cancelAnimationFrame(frame);
      element.removeEventListener("scroll", onScroll);
    };
  }, []);
  return sight;
}

/**
 * Lines that came or went above what is in sight take it with them.
 *
 * @param {{key: string}[]|undefined} before
 * @param {{key: string}[]} lines
 * @param {object} sight
 * @param {number} head Pixels at the top that stay.
 * @returns {boolean} Whether it moved, and the scroll has to follow.
 */
export function keepPlace(before, lines, sight, head) {
  if (!before || before === lines || sight.top <= 0) return false;
  const first = Math.floor(sight.top / LINE_PX);
  const end = Math.ceil((sight.top + sight.height - head) / LINE_PX);
  const shift = shiftOf(before, lines, first, end);
  sight.top = Math.max(0, sight.top + shift * LINE_PX);
  return shift !== 0;
}

/**
 * Scroll so that a place of the canvas is in sight, no further than needed.
 *
 * @param {Element} element
 * @param {object} sight
 * @param {{top: number|null, left: number|null, width: number, height: number}} wanted Null: as it is.
 * @param {{head: number, frozen: number}} covered Pixels at the top and left that stay.
 */
export function reveal(element, sight, { top, left, width, height }, { head, frozen }) {
  if (top !== null) {
    if (top < sight.top) sight.top = top;
    else if (top + height > sight.top + sight.height - head) sight.top = top + height - (sight.height - head);
    element.scrollTop = sight.top;
  }
  if (left !== null) {
    if (left - frozen < sight.left) sight.left = left - frozen;
    else if (left + width > sight.left + sight.width) sight.left = Math.min(left - frozen, left + width - sight.width);
    element.scrollLeft = sight.left;
  }
}
