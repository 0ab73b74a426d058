// Dark or light: as the machine has it, unless somebody has chosen here or in the address.

import { mark, write } from "./dom.js";

const KEY = "leadbeat.theme";
const NEXT = { auto: "dark", dark: "light", light: "auto" };
const WORDS = { auto: "Theme: as the machine", dark: "Theme: dark", light: "Theme: light" };

const known = (name) => name !== null && Object.hasOwn(NEXT, name);

let theme = "auto";

/** Begin with the theme that is asked for, else the one that was chosen last; the button goes through them. */
export function startTheme(asked) {
  show(known(asked) ? asked : kept());
  document.getElementById("theme").addEventListener("click", () => {
    show(NEXT[theme]);
    keep();
  });
}

function show(chosen) {
  theme = chosen;
  mark(document.documentElement, "data-theme", theme === "auto" ? null : theme);
  write(document.getElementById("theme-word"), WORDS[theme]);
  document.getElementById("theme").title = WORDS[theme];
}

// Storage may be forbidden to pages: then the choice lasts as long as the page.
function kept() {
  try {
    const found = localStorage.getItem(KEY);
    return known(found) ? found : "auto";
  } catch {
    return "auto";
  }
}

function keep() {
  try {
    localStorage.setItem(KEY, theme);
  } catch {
    // nothing to be done, and nothing lost but the choice
  }
}
