// Pages of a repository on its forge. The URL came from a client: only https addresses on hosts that are a GitHub or a
// GitLab are made, out of checked pieces, and never the text itself.

const URL_FORM = /^(?:https?:\/\/|ssh:\/\/)(?:[^@/]*@)?([a-z0-9.-]+)(?::\d+)?\/(.+)$/i;
const SCP_FORM = /^(?:[^@/:]+@)([a-z0-9.-]+):(?!\/\/)(.+)$/i;
const KNOWN_HOST = /^(github|gitlab)\.(com|(?!com\.)([a-z0-9-]+\.)+[a-z]+)$/;
const SHA = /^[0-9a-f]{40}$/;
const NO_COMMIT = "0".repeat(40);

/** Whether an experiment was started from a commit at all. */
export function isCommit(sha) {
  return SHA.test(sha) && sha !== NO_COMMIT;
}

/** @returns {string|null} The page of a commit; null where the forge is not known. */
export function commitAddress(repoUrl, sha) {
  const forge = forgeOf(repoUrl);
  return forge && isCommit(sha) ? `${forge.root}/${forge.middle}commit/${sha}` : null;
}

/** @returns {string|null} The page that compares two commits. */
export function compareAddress(repoUrl, first, second) {
  const forge = forgeOf(repoUrl);
  return forge && isCommit(first) && isCommit(second)
    ? `${forge.root}/${forge.middle}compare/${first}...${second}`
    : null;
}

function forgeOf(repoUrl) {
  const [, host, path] = URL_FORM.exec(repoUrl) ?? SCP_FORM.exec(repoUrl) ?? [];
  if (!host || !KNOWN_HOST.test(host.toLowerCase())) return null;
  const names = path
    .replace(/\.git\/?$/, "")
    .split("/")
    .filter(Boolean);
  if (names.length < 2 || names.includes("..")) return null;
  const middle = host.toLowerCase().startsWith("gitlab") ? "-/" : "";
  return { root: `https://${host.toLowerCase()}/${names.map(encodeURIComponent).join("/")}`, middle };
}
