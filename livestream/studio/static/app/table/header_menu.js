// What can be done with a column, or with all below a header.

import { pinnedAs, withGoal, withHidden } from "../core/column_wishes.js";
import { isAlwaysPinned, NAME } from "../core/columns.js";
import { html } from "../lib.js";
import { MenuItem, Panel } from "../parts/index.js";
import { isSparked, toggleSpark } from "./spark.js";

/**
 * @param {object} props
 * @param {{column?: object, segment?: object, anchor: Element}} props.target
 * @param {object} props.view Fields of the view.
 * @param {(fields: object, options?: object) => void} props.onChange
 * @param {((key: string) => void)|undefined} props.onFilter
 * @param {object} props.actions
 * @param {(giveBack: boolean) => void} props.onClose
 */
export function HeaderMenu({ target, view, onChange, onFilter, actions, onClose }) {
  const change = (fields) => {
    onChange(fields, { step: true });
    onClose(true);
  };
  const run = (act) => () => {
    act();
    onClose(true);
  };
  const { column, segment } = target;
  const label = `Menu of ${(column ?? segment).label}`;
  const shared = { view, change, run, actions };
  return html`<${Panel} anchor=${target.anchor} label=${label} className="header-menu" onClose=${onClose}>
    ${column
      ? html`<${ColumnItems} column=${column} onFilter=${onFilter} ...${shared} />`
      : html`<${GroupItems} segment=${segment} ...${shared} />`}
  <//>`;
}

function ColumnItems({ column, view, change, run, onFilter, actions }) {
  const { key, kind } = column;
  const sorted = view.sort.find((one) => one.key === key);
  const others = view.sort.filter((one) => one.key !== key);
  const goal = Object.hasOwn(view.goals, key) ? view.goals[key] : null;
  const hasGoal = kind === "metrics";
  const isPinned = view.pinned.includes(key);
  const sort = (falling) => () => change({ sort: [{ key, falling }] });
  const isFixed = isAlwaysPinned(key);
  return html`<${MenuItem} icon="up" checked=${sorted && !sorted.falling} onClick=${sort(false)}>Sort rising<//>
    <${MenuItem} icon="down" checked=${sorted?.falling} onClick=${sort(true)}>Sort falling<//>
    ${sorted && html`<${MenuItem} icon="close" onClick=${() => change({ sort: others })}>Do not sort by this<//>`}
    ${onFilter && html`<${MenuItem} icon="filter" onClick=${run(() => onFilter(key))}>Filter on this column<//>`}
    ${hasGoal &&
    html`<hr />
      <h3>Goal</h3>
      <${MenuItem} checked=${goal === "up"} onClick=${() => change(withGoal(view, key, "up"))}>Higher is better<//>
      <${MenuItem} checked=${goal === "down"} onClick=${() => change(withGoal(view, key, "down"))}>Lower is better<//>
      <${MenuItem} checked=${goal === null} onClick=${() => change(withGoal(view, key, null))}>No goal<//>`}
    <hr />
    ${hasGoal &&
    html`<${MenuItem} icon="chart" checked=${isSparked(key)} onClick=${run(() => toggleSpark(key))}>
      Show its course
    <//>`}
    ${!isFixed &&
    html`<${MenuItem} icon="pin" onClick=${() => change(pinnedAs(view, key))}>
        ${isPinned ? "Unpin" : "Pin to the left"}
      <//>
      <${MenuItem} icon="left" onClick=${run(() => actions.nudge({ column }, -1))}>Move left<//>
      <${MenuItem} icon="right" onClick=${run(() => actions.nudge({ column }, 1))}>Move right<//>`}
    <${MenuItem} icon="expand" onClick=${run(() => actions.fit(column))}>Fit the width to the content<//>
    ${key !== NAME && html`<${MenuItem} icon="close" onClick=${() => change(withHidden(view, key))}>Hide<//>`}`;
}

function GroupItems({ segment, view, change, run, actions }) {
  return html`<h3>${segment.label}</h3>
    <${MenuItem} icon="left" onClick=${run(() => actions.nudge({ segment }, -1))}>Move left<//>
    <${MenuItem} icon="right" onClick=${run(() => actions.nudge({ segment }, 1))}>Move right<//>
    <${MenuItem} icon="close" onClick=${() => change(withHidden(view, segment.key))}>Hide all of it<//>`;
}
