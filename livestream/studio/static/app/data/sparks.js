// The courses of metrics behind their numbers in the table: few points each, asked for together.
//
// Only cells that are drawn ask. Wishes are gathered for a moment and asked for in few requests; what came is kept, and
// asked for again no more often than every few seconds while the run goes on.

import { sparkPath } from "../core/spark_path.js";
import { signal } from "../lib.js";
import { get } from "./api.js";
import { finderOf, isAskable, requests } from "./chart_requests.js";

const POINTS = 40;
const GATHER_MS = 150;
const AGAIN_MS = 10_000;
const MOST_KEPT = 4_000;

/**
 * @typedef {object} Course
 * @property {import("./charts.js").Want} want
 * @property {import("../lib.js").Signal<string>} path Of an SVG; empty where there is no line.
 * @property {number|null|undefined} step How far the run had come when it was asked for.
 * @property {number} askedAt By performance.now().
 */

const kept = new Map();
const wanted = new Set();
let timer = 0;

/** @returns {Course} What is known of a metric of a run. */
export function courseOf(experiment, name) {
  const key = `${experiment} ${name}`;
  const found = kept.get(key);
  if (found) return found;
  if (kept.size >= MOST_KEPT) kept.delete(kept.keys().next().value);
  const want = { experiment, name, from: null, to: null, points: POINTS };
  const made = { want, path: signal(""), step: undefined, askedAt: -Infinity };
  kept.set(key, made);
  return made;
}

/**
 * Ask for a course unless it is as far as its run.
 * @param {Course} course
 * @param {number|null} step How far the run has come.
 * @returns {() => void} For when the cell goes out of sight.
 */
export function followCourse(course, step) {
  if (course.step === step || !isAskable(course.want.name)) return () => {};
  const waitMs = course.askedAt + AGAIN_MS - performance.now();
  const again = waitMs > 0 ? setTimeout(wish, waitMs, course, step) : 0;
  if (!again) wish(course, step);
  return () => {
    clearTimeout(again);
    if (wanted.delete(course)) course.step = undefined;
  };
}

function wish(course, step) {
  course.step = step;
  wanted.add(course);
  timer ||= setTimeout(ask, GATHER_MS);
}

async function ask() {
  const courses = [...wanted];
  wanted.clear();
  timer = 0;
  for (const course of courses) course.askedAt = performance.now();
  for (const { query, asked } of requests(courses)) {
    try {
      take(asked, (await get("api/charts", query)).charts);
    } catch {
      for (const course of asked) course.step = undefined; // a decoration: the next step, or the next look, asks again
    }
  }
}

function take(courses, charts) {
  const find = finderOf(charts);
  for (const { want, path } of courses) {
    const chart = find(want);
    if (chart) path.value = sparkPath(chart);
  }
}
