// The course of a metric behind its number: a line in the colour of the run.

import { HIGH, WIDE } from "../core/spark_path.js";
import { remembered } from "../data/memory.js";
import { courseOf, followCourse } from "../data/sparks.js";
import { h, useEffect } from "../lib.js";

/** Whether courses are drawn, and the keys of the columns without one. */
const sparkWish = remembered("sparks", { shown: true, without: [] });

/** Whether a column shows courses. @param {string} key */
export function isSparked(key) {
  return sparkWish.value.shown && !sparkWish.value.without.includes(key);
}

/** Show the course in a column, or do not. */
export function toggleSpark(key) {
  const { shown, without } = sparkWish.value;
  if (!shown) sparkWish.value = { shown: true, without: without.filter((one) => one !== key) };
  else if (without.includes(key)) sparkWish.value = { shown, without: without.filter((one) => one !== key) };
  else sparkWish.value = { shown, without: [...without, key] };
}

/** @param {{experiment: number, name: string, step: number|null}} props `step`: how far the run has come. */
export function Spark({ experiment, name, step }) {
  const course = courseOf(experiment, name);
  useEffect(() => followCourse(course, step), [course, step]);
  const path = course.path.value;
  if (!path) return null;
  return h(
    "svg",
    { class: "spark", viewBox: `0 0 ${WIDE} ${HIGH}`, preserveAspectRatio: "none", "aria-hidden": "true" },
    h("path", { d: path, "vector-effect": "non-scaling-stroke" }),
  );
}
