// The tree of the table's lines: detached experiments on top, then branches, their commits, and upon those the
// experiments; several repositories (no project is chosen) as one section each; or experiments alone ("flat").
//
// Where an experiment stands is said by its baseline: the history names the branch of that commit; where the history is
// not read yet, or older than the commit, the commit's own list of branches does; else the experiment is detached.
// Nothing is ever invisible for want of a commit. Commits and branches keep Git's order; rows within a commit keep the
// order in which they are given.
//
// A group is folded where its key is in `view.closed`, but for merged branches, which are folded at first: there the
// key says that the branch was opened.

/** @typedef {import("./rows.js").Line} Line */

const SHORT = 7;

/**
 * @param {{all: object[], shown: object[], view: object, history: object|null, projects: object[]|null}} given
 *   `shown`: those of `all` that pass the filters, sorted.
 * @returns {{lines: Line[], shown: object[], idle: number}} `shown` in the order of the lines.
 */
export function linesOf({ all, shown, view, history, projects }) {
  if (view.grouping === "flat") return { lines: shown.map((row) => experimentLine(row, 0)), shown, idle: 0 };
  const fold = foldOf(view.closed);
  const made = view.project === null ? projectLines(all, shown, projects, fold) : null;
  const { sections, idle } = made ?? branchSections(all, shown, view, history);
  const lines = [];
  const inOrder = [];
  for (const section of sections) addSection(section, { lines, inOrder, fold, isFiltered: shown.length < all.length });
  return { lines, shown: inOrder, idle };
}

/** Fold what is open, open what is folded. @returns {string[]} For `view.closed`. */
export function toggled(closed, key) {
  return closed.includes(key) ? closed.filter((one) => one !== key) : [...closed, key];
}

function foldOf(closed) {
  const keys = new Set(closed);
  return (key, isFolded = false) => keys.has(key) === isFolded;
}

// -- sections: a head, and places (commits with their experiments) below it

function branchSections(all, shown, view, history) {
  const places = placesOf(all, shown);
  const branches = history?.branches ?? branchesFrom(all);
  const known = new Set(branches.map((branch) => branch.name));
  const homes = new Map();
  for (const branch of branches) for (const place of branch.commits) homes.set(place.baseline_sha, branch.name);
  const byBranch = new Map();
  const detached = [];
  for (const place of places.values()) {
    const home = homes.get(place.sha) ?? place.row.commit?.branches.find((name) => known.has(name));
    if (home === undefined) detached.push(place);
    else if (!homes.has(place.sha)) (byBranch.get(home) ?? byBranch.set(home, []).get(home)).push(place);
  }
  const wantsIdle = view.commits && view.scope !== "deleted";
  let idle = 0;
  const sections = detached.length ? [{ type: "detached", key: "detached", places: detached }] : [];
  for (const branch of branches) {
    const own = branch.commits.map((place) => places.get(place.baseline_sha) ?? idlePlace(place));
    const listed = [...(byBranch.get(branch.name) ?? []), ...own].filter((place) => wantsIdle || place.total > 0);
    idle += own.filter((place) => place.total === 0).length;
    if (listed.length || wantsIdle) sections.push(branchSection(branch, listed));
  }
  return { sections, idle: wantsIdle ? 0 : idle };
}

function branchSection(branch, places) {
  const { name, merged } = branch;
  return {
    type: "branch",
    key: `branch:${name}`,
    branch: { name, isDefault: branch.default, merged, more: branch.more },
    places,
  };
}

/** As long as no history is there: the first branch that each commit names. */
function branchesFrom(rows) {
  const found = new Map();
  for (const { commit } of rows) {
    const name = commit?.branches[0];
    if (name === undefined) continue;
    const branch = found.get(name) ?? { name, default: false, merged: false, more: 0, commits: new Map() };
    found.set(name, branch);
    branch.commits.set(commit.sha, { baseline_sha: commit.sha, commit });
  }
  return [...found.values()].map((branch) => ({ ...branch, commits: [...branch.commits.values()] }));
}

function projectLines(all, shown, projects) {
  const byRepository = new Map();
  for (const place of placesOf(all, shown).values()) {
    const { repository } = place.row;
    (byRepository.get(repository) ?? byRepository.set(repository, []).get(repository)).push(place);
  }
  const sections = [...byRepository].map(([repository, places]) => ({
    type: "project",
    key: `project:${repository}`,
    project: projectOf(repository, projects),
    places,
  }));
  return { sections, idle: 0 };
}

/** The project over all of a repository, else any over it. */
function projectOf(repository, projects) {
  const over = (projects ?? []).filter((project) => project.repository === repository);
  const found = over.find((project) => project.subdir === "") ?? over[0];
  return { name: found?.name ?? repository, repository, id: found?.id ?? null };
}

// -- places

/** Baselines by repository and sha, those with the newest experiments first. */
function placesOf(all, shown) {
  const isOneRepository = all.every((row) => row.repository === all[0].repository);
  const idOf = (row) => (isOneRepository ? row.baseline_sha : `${row.repository}:${row.baseline_sha}`);
  const places = new Map();
  for (const row of all) {
    const id = idOf(row);
    const place = places.get(id);
    if (place) place.total += 1;
    else places.set(id, { id, sha: row.baseline_sha, row, total: 1, rows: [], commit: commitOf(row) });
  }
  for (const row of shown) places.get(idOf(row)).rows.push(row);
  return places;
}

function idlePlace({ baseline_sha: sha, commit }) {
  return { id: sha, sha, row: null, total: 0, rows: [], commit: commitOf({ baseline_sha: sha, commit }) };
}

function commitOf({ baseline_sha: sha, commit }) {
  return {
    sha,
    short: commit?.short ?? sha.slice(0, SHORT),
    message: commit?.message ?? "",
    author: commit?.author ?? "",
    time: commit?.time ?? null,
    known: commit !== null,
  };
}

// -- lines

function addSection(section, { lines, inOrder, fold, isFiltered }) {
  const { places, ...head } = section;
  const count = places.reduce((sum, place) => sum + place.rows.length, 0);
  const total = places.reduce((sum, place) => sum + place.total, 0);
  if (isFiltered && count === 0) return;
  const open = fold(section.key, section.branch?.merged ?? false);
  lines.push(groupLine(head, 0, count, total - count, open));
  for (const place of places) {
    if (isFiltered && place.rows.length === 0) continue;
    for (const row of place.rows) inOrder.push(row);
    if (open) addPlace(place, lines, fold);
  }
}

function addPlace(place, lines, fold) {
  const key = `commit:${place.id}`;
  const open = fold(key);
  const head = { type: "commit", key, commit: place.commit };
  lines.push(groupLine(head, 1, place.rows.length, place.total - place.rows.length, open));
  if (!open) return;
  for (const row of place.rows) lines.push(experimentLine(row, 2, place.commit));
}

function groupLine(head, depth, count, hidden, open) {
  return { depth, row: null, commit: null, branch: null, project: null, count, hidden, open, ...head };
}

function experimentLine(row, depth, commit = commitOf(row)) {
  return {
    type: "experiment",
    key: `experiment:${row.id}`,
    depth,
    row,
    commit,
    branch: null,
    project: null,
    count: 0,
    hidden: 0,
    open: false,
  };
}
