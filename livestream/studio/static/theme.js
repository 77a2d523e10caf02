// Sets the theme that was chosen before anything is painted: a classic script, in the head of every page.
try {
  const theme = JSON.parse(localStorage.getItem("livestream.theme"));
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
} catch {
  // No storage, or something else in it: the system's theme holds.
}
