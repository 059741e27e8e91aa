/** A card moves at once, and goes back when the server refuses or its form is closed without being sent. */

import { $ } from "../dom.js";
import { announceCard, board, cardsOf, columnOf, columnOfStage, linkOf, place } from "./elements.js";
import { isSelected, moveSelected, selected } from "./selection.js";

let pending = null;

const putBack = (move) => {
  if (!move || move.settled) return;
  move.settled = true;
  const card = document.getElementById(move.card.id);
  if (!card || !move.from.isConnected) return;
  if (move.next?.isConnected) move.next.before(card);
  else cardsOf(move.from)?.append(card);
  announceCard("putBack", card, move.from);
  if (move.focus) linkOf(card)?.focus();
};

/** Move a card, or all that are selected if it is one of several, to another column. */
export const moveCard = (card, to, { focus = false } = {}) => {
  const from = columnOf(card);
  if (!to) return;
  if (selected().length > 1 && isSelected(card)) {
    moveSelected(to);
    return;
  }
  if (to === from) return;
  const current = { card, from, to, next: card.nextElementSibling, focus, settled: false };
  if (pending && !pending.settled) putBack(pending);
  pending = current;
  place(card, to);
  if (focus) linkOf(card)?.focus();
  const values = { stage: to.dataset.stage, on: "board", ...Object.fromEntries(new URLSearchParams(board().dataset.query)) };
  window.htmx
    .ajax("POST", `/deals/${card.dataset.card}/move/`, { source: board(), target: board(), swap: "none", values })
    .then(() => {
      if (!current.settled && !$("dialog[open] [data-move-form]")) putBack(current);
    })
    .catch(() => putBack(current));
};

document.addEventListener("deal:moved", (event) => {
  const detail = event.detail?.value ?? event.detail ?? {};
  const card = document.getElementById(`card-${detail.id}`);
  const column = card && columnOf(card);
  if (pending) pending.settled = true;
  if (!card || !column) return;
  if (column.dataset.stage !== detail.stage) place(card, columnOfStage(detail.stage));
  announceCard("dropped", card, columnOf(card));
  if (pending?.focus) linkOf(card)?.focus();
});

document.addEventListener(
  "close",
  (event) => {
    if (event.target.id === "dialog") setTimeout(() => putBack(pending), 50);
  },
  true,
);
