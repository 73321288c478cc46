// Light or dark, before anything is painted: as the system has it, unless somebody chose.
// A classic script, so that the page never shows in the wrong colours first.
(() => {
  const KEY = "cntk-jobs.theme";
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const chosen = () => {
    try {
      return localStorage.getItem(KEY);
    } catch {
      return null; // Storage is switched off: the system decides.
    }
  };
  const apply = () => {
    document.documentElement.dataset.theme = chosen() ?? (dark.matches ? "dark" : "light");
    document.dispatchEvent(new Event("themechange"));
  };
  dark.addEventListener("change", apply);
  globalThis.theme = {
    toggle() {
      const next = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
      try {
        // What the system has anyway is no choice worth keeping.
        if (next === (dark.matches ? "dark" : "light")) localStorage.removeItem(KEY);
        else localStorage.setItem(KEY, next);
      } catch {
        document.documentElement.dataset.theme = next;
        document.dispatchEvent(new Event("themechange"));
        return;
      }
      apply();
    },
  };
  apply();
})();
