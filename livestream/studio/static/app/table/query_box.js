// The box for words and conditions, with what could be typed next and what cannot be read.

import { hintsAt } from "../core/query_hints.js";
import { keys } from "../data/experiments.js";
import { changeView, view } from "../data/view.js";
import { html, useLayoutEffect, useRef, useState } from "../lib.js";
import { Search } from "../parts/index.js";
import { arranged } from "./arranged.js";
import { valuesOf } from "./known_values.js";

const LIST_ID = "query-hints";
const PROBLEM_ID = "query-problem";
const NO_HINTS = { from: 0, to: 0, hints: [] };
let input = null;

/** Put the caret into the box. */
export function focusQuery() {
  input?.focus();
  input?.select();
}

/** The box, its hints and what is wrong with it. */
export function QueryBox() {
  const { box, hints, chosen, ...on } = useHints();
  const { query } = view.value;
  const problem = problemShown(hints.length > 0);
  return html`<div class="query-box">
    <${Search}
      inputRef=${box}
      label="Search and filter experiments"
      placeholder="Search, or metrics.acc>0.9"
      value=${query}
      role="combobox"
      aria-expanded=${String(hints.length > 0)}
      aria-controls=${hints.length ? LIST_ID : undefined}
      aria-autocomplete="list"
      aria-activedescendant=${chosen >= 0 ? `${LIST_ID}-${chosen}` : undefined}
      aria-invalid=${problem && !problem.unfinished ? "true" : undefined}
      aria-describedby=${problem ? PROBLEM_ID : undefined}
      onInput=${on.input}
      onKeyDown=${on.keyDown}
      onBlur=${on.close}
    />
    <${Found} />
    ${hints.length > 0 && html`<${HintList} hints=${hints} chosen=${chosen} onTake=${on.take} />`}
    ${problem && html`<${Wrong} problem=${problem} />`}
  </div>`;
}

function Wrong({ problem: { message, unfinished } }) {
  return html`<p class=${`query-problem ${unfinished ? "soft" : ""}`} id=${PROBLEM_ID} role="status">${message}</p>`;
}

/** What could come next at the caret, which of it is chosen, and what the box does. */
function useHints() {
  const box = useRef(null);
  const wantedCaret = useRef(null);
  const [caret, setCaret] = useState(null);
  const [chosen, setChosen] = useState(-1);
  const { query } = view.value;
  const found = caret === null ? NO_HINTS : hintsAt(query, caret, { columns: keys.value, valuesOf });
  const { hints } = found;
  useLayoutEffect(() => {
    input = box.current;
    if (wantedCaret.current === null) return;
    box.current.setSelectionRange(wantedCaret.current, wantedCaret.current);
    wantedCaret.current = null;
  });
  const close = () => {
    setCaret(null);
    setChosen(-1);
  };
  const take = (hint) => {
    const text = hint.more ? hint.text : `${hint.text} `;
    const end = found.from + text.length;
    changeView({ query: query.slice(0, found.from) + text + query.slice(found.to).trimStart() });
    wantedCaret.current = end;
    setCaret(hint.more ? end : null);
    setChosen(-1);
  };
  const onInput = (text) => {
    changeView({ query: text });
    setCaret(box.current.selectionStart);
    setChosen(-1);
  };
  const onKeyDown = (event) => {
    if (event.key === "Escape") {
      event.preventDefault();
      if (hints.length) close();
      else box.current.blur();
    } else if (!hints.length) {
      if (event.key === "Enter") box.current.blur();
    } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      const by = event.key === "ArrowDown" ? 1 : -1;
      setChosen(chosen < 0 && by < 0 ? hints.length - 1 : (chosen + by + hints.length) % hints.length);
    } else if ((event.key === "Enter" || event.key === "Tab") && chosen >= 0) {
      event.preventDefault();
      take(hints[chosen]);
    } else if (event.key === "Enter") {
      close();
    }
  };
  return { box, hints, chosen, take, close, input: onInput, keyDown: onKeyDown };
}

/** The first thing that cannot be read; while somebody is offered how to go on, only what is behind them. */
function problemShown(hasHints) {
  return arranged.value.problems.find((problem) => problem.source === "" && !(problem.unfinished && hasHints)) ?? null;
}

/** How many are shown; said only where it is not all. */
function Found() {
  const { shown, total } = arranged.value;
  const [some, all] = [shown.length, total].map((count) => count.toLocaleString("en-US"));
  const words = some === all ? "" : `${some} of ${all}`;
  return html`<span class="found" role="status">${words}</span>`;
}

function HintList({ hints, chosen, onTake }) {
  return html`<ul class="query-hints" id=${LIST_ID} role="listbox" aria-label="What could come next">
    ${hints.map(
      (hint, at) => html`<li
        key=${hint.text}
        id=${`${LIST_ID}-${at}`}
        role="option"
        aria-selected=${String(at === chosen)}
        onPointerDown=${(event) => {
          event.preventDefault();
          onTake(hint);
        }}
      >
        <code>${hint.label}</code>${hint.note && html`<span>${hint.note}</span>`}
      </li>`,
    )}
  </ul>`;
}
