/** Cards that are ticked, and what is done with all of them together. */

import { $, $$, isTyping, on } from "../dom.js";
import { announceCard, board, columnOf, liftedCard } from "./elements.js";

let lastTicked = null;

export const selected = () => $$(".deal-check:checked", board());
export const isSelected = (card) => Boolean($(".deal-check", card)?.checked);

const updateSelection = () => {
  const count = selected().length;
  const bar = $("[data-board-bar]");
  bar?.classList.toggle("is-open", count > 0);
  board()?.classList.toggle("has-selection", count > 0);
  const figure = bar && $("[data-selected-count]", bar);
  if (figure) figure.textContent = String(count);
};

const clearSelection = () => {
  for (const box of selected()) box.checked = false;
  updateSelection();
};

export const moveSelected = (to) => {
  const bar = $("[data-board-bar]");
  $("[data-together-stage]", bar).value = to.dataset.stage;
  const form = new FormData(bar);
  form.set("action", "move");
  const values = Object.fromEntries([...new Set(form.keys())].map((name) => [name, form.getAll(name)]));
  window.htmx.ajax("POST", board().dataset.together, { source: board(), target: "#board", swap: "none", values });
};

/** Tick a card or take its tick off; false where cards have none. */
export const toggleSelected = (card) => {
  const box = $(".deal-check", card);
  if (!box) return false;
  box.checked = !box.checked;
  lastTicked = box;
  updateSelection();
  announceCard(box.checked ? "selected" : "unselected", card, columnOf(card), { count: selected().length });
  return true;
};

on("click", ".deal-check", (event, box) => {
  const all = $$(".deal-check", board());
  if (event.shiftKey && lastTicked?.isConnected) {
    const [from, to] = [all.indexOf(lastTicked), all.indexOf(box)].sort((a, b) => a - b);
    for (const one of all.slice(from, to + 1)) one.checked = box.checked;
  }
  lastTicked = box;
  updateSelection();
});
on("click", "[data-clear-selection]", clearSelection);
document.addEventListener("htmx:afterSettle", updateSelection);
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || event.defaultPrevented || liftedCard() || isTyping() || $("dialog[open], .menu:popover-open")) return;
  if (selected().length) clearSelection();
});
