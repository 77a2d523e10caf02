// Icons as paths on a 16 x 16 grid, drawn with the colour of the text around them.

const PATHS = {
  search: "M7 3a4 4 0 1 1 0 8 4 4 0 0 1 0-8Zm3 7 3.5 3.5",
  close: "m4 4 8 8m0-8-8 8",
  check: "m3.5 8.5 3 3 6-7",
  down: "m4 6 4 4 4-4",
  right: "m6 4 4 4-4 4",
  more: "M3.5 8h.01M8 8h.01M12.5 8h.01",
  filter: "M2.5 4h11M4.5 8h7m-5 4h3",
  columns: "M3 3h10v10H3zM6.3 3v10M9.7 3v10",
  download: "M8 2.5v7m-3-2.8 3 3 3-3M3 13h10",
  trash: "M3 4.5h10M6.5 4.5V3h3v1.5M4.5 4.5l.6 8.5h5.8l.6-8.5",
  pin: "M6 2.5h4l-.6 4 2.1 2.5H4.5l2.1-2.5L6 2.5ZM8 9v4.5",
  star: "m8 2.6 1.6 3.5 3.8.4-2.8 2.6.8 3.8L8 11l-3.4 1.9.8-3.8-2.8-2.6 3.8-.4L8 2.6Z",
  expand: "M9.5 3H13v3.5M6.5 13H3V9.5M13 3 9 7m-6 6 4-4",
  copy: "M6 6h7v7H6zM3 10V3h7",
  sun: "M8 5.2a2.8 2.8 0 1 1 0 5.6 2.8 2.8 0 0 1 0-5.6ZM8 1.5v1.2m0 10.6v1.2M1.5 8h1.2m10.6 0h1.2M3.4 3.4l.9.9m7.4 7.4.9.9m0-9.2-.9.9m-7.4 7.4-.9.9",
  moon: "M13 9.6A5.5 5.5 0 0 1 6.4 3a5.5 5.5 0 1 0 6.6 6.6Z",
  system: "M2.5 3.5h11v7h-11zM6 13h4M8 10.5V13",
  table: "M2.5 3.5h11v9h-11zM2.5 6.5h11M6.5 6.5v6",
  chart: "M2.5 13.5h11M3.5 11l3-4 2.5 2 3.5-5",
  both: "M2.5 2.5h11v11h-11zM2.5 8h11",
  link: "M6.5 9.5 9.5 6.5M7 5l1.5-1.5a2.5 2.5 0 0 1 3.6 3.6L10.5 8.6M9 11l-1.5 1.5a2.5 2.5 0 0 1-3.6-3.6L5.5 7.4",
  undo: "M6 4 3 7l3 3M3 7h6a3.5 3.5 0 0 1 0 7H7",
  play: "m5 3.5 7 4.5-7 4.5Z",
  pause: "M5.5 3.5v9m5-9v9",
  help: "M6 6.2a2 2 0 1 1 2.8 1.9c-.6.3-.8.7-.8 1.4M8 12h.01",
  settings: "M8 5.8a2.2 2.2 0 1 1 0 4.4 2.2 2.2 0 0 1 0-4.4ZM8 2v1.6m0 8.8V14M2 8h1.6m8.8 0H14M3.8 3.8l1.1 1.1m6.2 6.2 1.1 1.1m0-8.4-1.1 1.1m-6.2 6.2-1.1 1.1",
  branch: "M5 3v10M11 5.5a1.5 1.5 0 1 1 0-.01M5 10.5c0-2.5 6-1 6-4M5 3.5h.01",
  plus: "M8 3v10M3 8h10",
  left: "m10 4-4 4 4 4",
  up: "m4 10 4-4 4 4",
  warning: "M8 2.8 14 13H2L8 2.8Zm0 4v3m0 1.6h.01",
  out: "M6.5 3.5h-3v9h9v-3M9 3h4v4m0-4L7.5 8.5",
  compare: "M3 3h4v10H3zM9 3h4v10H9z",
  commit: "M8 5.5a2.5 2.5 0 1 1 0 5 2.5 2.5 0 0 1 0-5ZM1.5 8h4m5 0h4",
  folder: "M2.5 4h4l1.5 1.5h5.5v7h-11Z",
  goal: "M5 6.5 8 3.5l3 3m-6 3 3 3 3-3",
  image: "M2.5 3.5h11v9h-11zM4 11l3-3.5 2 2 1.5-1.5 2 3M10.5 6h.01",
  edit: "M10.5 3.5 12.5 5.5 5.5 12.5H3.5v-2l7-7Z",
};

/** @returns {string} The path of an icon; empty for a name that is not there. */
export function pathOf(name) {
  return PATHS[name] ?? "";
}
