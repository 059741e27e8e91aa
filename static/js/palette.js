/** The command palette: Ctrl+K or / opens it, arrows choose, Enter goes. */

import { $, $$, on } from "./dom.js";
import { open } from "./dialog.js";

const dialog = $("#palette");
const input = () => $("[data-palette-input]", dialog);
const entries = () => $$("[data-palette-entry]", dialog);

const mark = (entry) => {
  entries().forEach((one) => one.setAttribute("aria-selected", String(one === entry)));
  if (!entry) return input().removeAttribute("aria-activedescendant");
  input().setAttribute("aria-activedescendant", entry.id);
  return entry.scrollIntoView({ block: "nearest" });
};

export const openPalette = () => {
  if (!dialog) return;
  open(dialog);
  input().value = "";
  input().focus();
  window.htmx?.trigger(input(), "palette:open");
};

on("click", "[data-palette]", (event) => {
  if (!dialog || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  $("#sidebar:popover-open")?.hidePopover();
  openPalette();
});

document.addEventListener("keydown", (event) => {
  if ((event.ctrlKey || event.metaKey) && !event.altKey && !event.shiftKey && event.key.toLowerCase() === "k") {
    event.preventDefault();
    if (dialog?.open) dialog.close();
    else openPalette();
  }
});

document.addEventListener("htmx:afterSwap", (event) => {
  if (event.detail.target?.id === "palette-results") mark(entries()[0]);
});

dialog?.addEventListener("keydown", (event) => {
  const all = entries();
  const now = all.findIndex((one) => one.getAttribute("aria-selected") === "true");
  if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    event.preventDefault();
    mark(all[(now + (event.key === "ArrowDown" ? 1 : -1) + all.length) % all.length]);
  } else if (event.key === "Enter" && event.target === input()) {
    event.preventDefault();
    if (!all[now]) return;
    if (event.ctrlKey || event.metaKey) window.open(all[now].href, "_blank", "noopener");
    else all[now].click();
  }
});

on("click", "[data-palette-run]", (event, entry) => {
  event.preventDefault();
  dialog?.close();
  document.querySelector(entry.dataset.paletteRun)?.click();
});
