// How wide an element is, for drawings that are made of pixels.

import { useLayoutEffect, useState } from "../lib.js";

/** @param {{current: Element}} ref @returns {number} Whole pixels; 0 until it is known. */
export function useWidth(ref) {
  const [width, setWidth] = useState(0);
  useLayoutEffect(() => {
    const watcher = new ResizeObserver(([entry]) => setWidth(Math.floor(entry.contentRect.width)));
    watcher.observe(ref.current);
    return () => watcher.disconnect();
  }, []);
  return width;
}
