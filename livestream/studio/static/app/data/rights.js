// What the person who looks may do: the page's document tells the scopes of the session.

/** @param {"read"|"ingest"|"admin"} scope */
export function may(scope) {
  return (document.body.dataset.scopes ?? "").split(" ").includes(scope);
}
