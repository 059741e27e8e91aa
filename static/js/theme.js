/** The theme and the folded sidebar: shown at once, kept in cookies that the server renders. */

import { $$, on, remember } from "./dom.js";

const root = document.documentElement;

on("submit", "form[data-appearance]", (event, form) => {
  const button = event.submitter;
  if (!button?.name) return;
  event.preventDefault();
  if (button.name === "theme") {
    remember("theme", button.value);
    if (button.value) root.dataset.theme = button.value;
    else delete root.dataset.theme;
    $$("form[data-appearance] [name=theme]").forEach((one) => one.setAttribute("aria-pressed", String(one.value === button.value)));
  }
  if (button.name === "sidebar") {
    const folded = root.dataset.sidebar !== "folded";
    remember("sidebar", folded ? "folded" : "");
    if (folded) root.dataset.sidebar = "folded";
    else delete root.dataset.sidebar;
    button.setAttribute("aria-expanded", String(!folded));
    button.value = folded ? "open" : "folded";
  }
});
