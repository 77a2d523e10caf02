// Reading again what may have changed: each thing once in its own pause, and never twice at a time, however many
// changes come and however slow the answers are; the last change is always followed by a reading.

/** @returns {{soon: (read: () => Promise<void>, pauseMs: number) => void, stop: () => void}} */
export function makePaced() {
  const timers = new Map();
  const running = new Set();
  const again = new Set();
  let isOver = false;

  function soon(read, pauseMs) {
    if (isOver || timers.has(read)) return;
    if (running.has(read)) again.add(read);
    else timers.set(read, setTimeout(run, pauseMs, read, pauseMs));
  }
  async function run(read, pauseMs) {
    timers.delete(read);
    running.add(read);
    await read();
    running.delete(read);
    if (again.delete(read)) soon(read, pauseMs);
  }
  function stop() {
    isOver = true;
    timers.forEach((timer) => clearTimeout(timer));
  }
  return { soon, stop };
}
