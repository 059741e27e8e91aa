/**
 * Keys. An element with data-hotkey="e" or data-hotkey="g d" is clicked by that key or sequence; [data-row] elements are
 * walked with j and k, ticked with x and opened with Enter. Everything is off while somebody types.
 */

import { $, $$, isTyping, isVisible } from "./dom.js";
import { open } from "./dialog.js";
import { openPalette } from "./palette.js";
import { undoLast } from "./toast.js";

const PATIENCE = 1200;
let typed = "";
let forget = 0;

const inside = () => $$("dialog[open]").at(-1) ?? document;
const rows = () => $$("[data-row]").filter(isVisible);
const currentRow = () => rows().find((row) => row.classList.contains("is-current"));

const mark = (row) => {
  if (!row) return;
  rows().forEach((one) => one.classList.toggle("is-current", one === row));
  row.scrollIntoView({ block: "nearest" });
  ($("[data-row-link]", row) ?? $("a[href]", row) ?? row).focus({ preventScroll: true });
  row.dispatchEvent(new CustomEvent("row:current", { bubbles: true }));
};

const step = (by) => {
  const all = rows();
  const now = all.indexOf(currentRow());
  mark(all[Math.max(0, Math.min(all.length - 1, now < 0 ? 0 : now + by))]);
  return all.length > 0;
};

const tick = () => {
  const box = currentRow()?.querySelector("input[type=checkbox]");
  box?.click();
  return Boolean(box);
};

const keys = {
  j: () => step(1),
  k: () => step(-1),
  x: tick,
  z: undoLast,
  "/": () => {
    const search = $$("[data-search]").find(isVisible);
    if (search) search.focus();
    else openPalette();
    return true;
  },
  "?": () => {
    const help = $("#keys");
    if (help) open(help);
    return Boolean(help);
  },
};

const hot = (sequence) => {
  const scope = currentRow();
  const selector = `[data-hotkey="${CSS.escape(sequence)}"]`;
  const found = [...(scope ? $$(selector, scope) : []), ...$$(selector, inside())];
  return found.find((one) => isVisible(one) || one.hasAttribute("data-hotkey-hidden"));
};
const starts = (sequence) => $$(`[data-hotkey^="${CSS.escape(sequence)} "]`, inside()).length > 0;

document.addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.isComposing || event.ctrlKey || event.metaKey || event.altKey || isTyping()) return;
  if (event.key.length !== 1 || event.key === " ") return;
  if ($(".menu:popover-open")) return;
  clearTimeout(forget);
  const key = event.key.toLowerCase();
  const sequence = typed ? `${typed} ${key}` : key;
  typed = "";
  const element = hot(sequence);
  if (element) {
    event.preventDefault();
    if (element.matches("input, textarea, select")) element.focus();
    else element.click();
    return;
  }
  if (starts(sequence)) {
    event.preventDefault();
    typed = sequence;
    forget = setTimeout(() => {
      typed = "";
    }, PATIENCE);
    return;
  }
  if (inside() === document && keys[key]?.()) event.preventDefault();
});

document.addEventListener("focusin", (event) => {
  const row = event.target instanceof Element ? event.target.closest("[data-row]") : null;
  if (row && !row.classList.contains("is-current")) rows().forEach((one) => one.classList.toggle("is-current", one === row));
});
