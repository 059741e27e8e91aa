/** What a board is made of: columns, cards in them, and the words said of these. */

import { $ } from "../dom.js";
import { announce } from "../announce.js";

export const board = () => $("[data-board]");
export const columnOf = (element) => element?.closest("[data-stage]");
export const columnOfStage = (id) => $(`[data-stage="${CSS.escape(id)}"]`);
export const cardsOf = (column) => $("[data-cards]", column);
export const linkOf = (card) => $(".deal-name", card);
export const mayMove = () => Boolean($("#move-menu"));
export const liftedCard = () => $("[data-card].is-lifted");

export const place = (card, column) => cardsOf(column).prepend(card);

export const focusCard = (card) => {
  linkOf(card).focus({ preventScroll: true });
  card.scrollIntoView({ block: "nearest", inline: "nearest" });
};

/** Say of a card what the board's data attribute `name` has words for. */
export const announceCard = (name, card, column, more = {}) =>
  announce($("[data-announce]"), board()?.dataset[name], { name: card.dataset.name, stage: column.dataset.name, ...more });
