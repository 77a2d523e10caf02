// Whether an element is in the window or near it. One observer watches all of them.

import { useLayoutEffect, useState } from "../lib.js";

const NEAR = "300px";
const listeners = new WeakMap();
let observer = null;

function shared() {
  observer ??= new IntersectionObserver(
    (seen) => {
      for (const { target, isIntersecting } of seen) listeners.get(target)?.(isIntersecting);
    },
    { rootMargin: NEAR, scrollMargin: NEAR }, // the second one is for panes that scroll by themselves
  );
  return observer;
}

/** @param {{current: Element}} element A ref. @returns {boolean} */
export function useNear(element) {
  const [isNear, setNear] = useState(false);
  useLayoutEffect(() => {
    const watched = element.current;
    listeners.set(watched, setNear);
    shared().observe(watched);
    return () => {
      listeners.delete(watched);
      shared().unobserve(watched);
    };
  }, []);
  return isNear;
}
