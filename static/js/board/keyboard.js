/**
 * By keyboard: arrows, J and K walk from card to card; space lifts one, arrows carry it, space or Enter drops it, Escape
 * puts it back; M opens the menu "Move to…", X ticks.
 */

import { $, $$, isTyping, isVisible, on } from "../dom.js";
import { announceCard, board, cardsOf, columnOf, focusCard, linkOf, mayMove, place } from "./elements.js";
import { openMenu } from "./menu.js";
import { moveCard } from "./move.js";
import { toggleSelected } from "./selection.js";

let carried = null;

const beside = (column, step) => {
  const all = $$("[data-stage]", board());
  const rtl = getComputedStyle(board()).direction === "rtl" ? -1 : 1;
  return all[all.indexOf(column) + step * rtl];
};

const lift = (card) => {
  const column = columnOf(card);
  carried = { card, from: column, next: card.nextElementSibling, over: column };
  card.classList.add("is-lifted");
  announceCard("lifted", card, column);
};

const moveBy = (step) => {
  const over = beside(carried.over, step);
  if (!over) return;
  carried.over.classList.remove("is-over");
  carried.over = over;
  over.classList.add("is-over");
  over.scrollIntoView({ block: "nearest", inline: "nearest" });
  place(carried.card, over);
  linkOf(carried.card).focus();
  announceCard("over", carried.card, over);
};

const drop = (moves) => {
  const { card, from, next, over } = carried;
  carried = null;
  card.classList.remove("is-lifted");
  over.classList.remove("is-over");
  if (next?.isConnected) next.before(card);
  else cardsOf(from).append(card);
  linkOf(card).focus();
  if (moves && over !== from) moveCard(card, over, { focus: true });
  else announceCard("putBack", card, from);
};

const nextCard = (card, key) => {
  const column = columnOf(card);
  const inColumn = $$("[data-card]", column);
  const index = inColumn.indexOf(card);
  if (key === "ArrowDown") return inColumn[index + 1];
  if (key === "ArrowUp") return inColumn[index - 1];
  let other = beside(column, key === "ArrowRight" ? 1 : -1);
  while (other) {
    const cards = other.classList.contains("is-folded") ? [] : $$("[data-card]", other);
    if (cards.length) return cards[Math.min(index, cards.length - 1)];
    other = beside(other, key === "ArrowRight" ? 1 : -1);
  }
  return null;
};

on("keydown", "[data-card] .deal-name", (event, link) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const card = link.closest("[data-card]");
  const key = event.key;
  if (key === " " && mayMove()) {
    event.preventDefault();
    if (carried) drop(true);
    else lift(card);
  } else if (carried && (key === "ArrowLeft" || key === "ArrowRight")) {
    event.preventDefault();
    moveBy(key === "ArrowRight" ? 1 : -1);
  } else if (carried && (key === "Escape" || key === "Tab")) {
    event.preventDefault();
    event.stopPropagation();
    drop(false);
  } else if (carried && key === "Enter") {
    event.preventDefault();
    drop(true);
  } else if (key.startsWith("Arrow") && !carried) {
    event.preventDefault();
    const next = nextCard(card, key);
    if (next) focusCard(next);
  } else if (key.toLowerCase() === "m" && mayMove()) {
    event.preventDefault();
    event.stopPropagation();
    openMenu(card, link);
  } else if (key.toLowerCase() === "x" && !carried && toggleSelected(card)) {
    event.preventDefault();
    event.stopPropagation();
  }
});

/* From anywhere else, J and K lead to the first card. */
document.addEventListener("keydown", (event) => {
  const key = { j: "ArrowDown", k: "ArrowUp" }[event.key];
  if (!key || carried || event.ctrlKey || event.metaKey || event.altKey || isTyping() || $("dialog[open], .menu:popover-open")) return;
  const card = document.activeElement?.closest("[data-card]");
  const next = card ? nextCard(card, key) : $$("[data-card]").find(isVisible);
  if (!next) return;
  event.preventDefault();
  focusCard(next);
});

document.addEventListener("focusout", (event) => {
  if (carried && event.target === linkOf(carried.card) && event.relatedTarget && !carried.card.contains(event.relatedTarget)) drop(false);
});
