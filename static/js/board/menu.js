/** The menu "Move to…" of a card, or of all that are selected. */

import { $, $$, isTyping, on } from "../dom.js";
import { columnOf, columnOfStage, linkOf, mayMove } from "./elements.js";
import { moveCard } from "./move.js";
import { isSelected, moveSelected, selected } from "./selection.js";

let opened = null;

export const openMenu = (card, at) => {
  const menu = $("#move-menu");
  opened = { card, at };
  menu.showPopover();
  const box = at.getBoundingClientRect();
  const size = menu.getBoundingClientRect();
  menu.style.inset = "auto";
  menu.style.left = `${Math.max(8, Math.min(box.right - size.width, innerWidth - size.width - 8))}px`;
  menu.style.top = `${Math.max(8, Math.min(box.bottom + 4, innerHeight - size.height - 8))}px`;
  const now = columnOf(card).dataset.stage;
  const items = $$("[data-move-to]", menu);
  items.forEach((item) => {
    if (item.dataset.moveTo === now) item.setAttribute("aria-current", "true");
    else item.removeAttribute("aria-current");
  });
  (items.find((item) => item.dataset.moveTo !== now) ?? items[0])?.focus();
};

const closeMenu = (refocus) => {
  const menu = $("#move-menu");
  if (!menu?.matches(":popover-open")) return;
  menu.hidePopover();
  if (refocus) opened?.at.focus();
};

on("click", "[data-move-selected]", (_event, button) => {
  const [first] = selected();
  if (first) openMenu(first.closest("[data-card]"), button);
});
on("click", "[data-move]", (_event, button) => openMenu(button.closest("[data-card]"), button));
on("click", "[data-move-to]", (_event, item) => {
  const column = columnOfStage(item.dataset.moveTo);
  const { card, at } = opened;
  closeMenu(false);
  const together = selected().length > 1 || at.matches("[data-move-selected]");
  if (together && isSelected(card)) moveSelected(column);
  else if (columnOf(card) === column) linkOf(card).focus();
  else moveCard(card, column, { focus: true });
});
on("keydown", "#move-menu", (event) => {
  if (event.key === "Escape" || event.key === "Tab") {
    event.preventDefault();
    closeMenu(true);
  }
});
document.addEventListener("pointerdown", (event) => {
  if (event.target instanceof Element && !event.target.closest("#move-menu, [data-move], [data-move-selected]")) closeMenu(false);
});

/* M opens it for the card under the mouse. */
document.addEventListener("keydown", (event) => {
  if (event.key.toLowerCase() !== "m" || event.ctrlKey || event.metaKey || event.altKey || isTyping() || !mayMove()) return;
  const card = $("[data-card]:hover");
  if (card) openMenu(card, $("[data-move]", card));
});
