// Components that are drawn again only when something that they are given is another thing.

import { Component } from "../lib.js";

/** Of every component here the props are always the same names, so that looking at the next ones is enough. */
export class Still extends Component {
  shouldComponentUpdate(next) {
    const now = this.props;
    for (const name in next) {
      if (next[name] !== now[name]) return true;
    }
    return false;
  }
}
