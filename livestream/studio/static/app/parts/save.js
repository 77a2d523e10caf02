// Files that leave the page: drawn or written here, saved by the browser.

const KEPT_MS = 10_000;
const MOST_NAME = 120;

/** @param {Blob} blob @param {string} name With its ending; what a file system would mind is replaced. */
export function saveBlob(blob, name) {
  const url = URL.createObjectURL(blob);
  saveAddress(url, name);
  setTimeout(() => URL.revokeObjectURL(url), KEPT_MS);
}

/** @param {string} text CSV. @param {string} name As of `saveBlob`. */
export function saveCsv(text, name) {
  saveBlob(new Blob([text], { type: "text/csv" }), name);
}

/** @param {string|URL} url Of this Studio, or a blob's. @param {string} name As of `saveBlob`. */
export function saveAddress(url, name) {
  const link = document.createElement("a");
  link.href = String(url);
  link.download = fileName(name);
  link.click();
}

function fileName(name) {
  // eslint-disable-next-line no-control-regex
  return name.replace(/[\u0000-\u001f<>:"/\\|?*]+/g, "-").slice(-MOST_NAME);
}
