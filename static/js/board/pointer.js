/** Cards are dragged by mouse and touch; a click anywhere on a card opens its deal, with a key held it is ticked. */

import { $, on } from "../dom.js";
import { draggable, scrollNearEdge } from "../drag.js";
import { announceCard, board, cardsOf, columnOf, linkOf, mayMove } from "./elements.js";
import { moveCard } from "./move.js";

const EDGE = 56;
const SPEED = 14;

const ghostOf = (card, box) => {
  const ghost = card.cloneNode(true);
  ghost.removeAttribute("id");
  ghost.classList.add("is-ghost");
  ghost.setAttribute("aria-hidden", "true");
  ghost.style.inlineSize = `${box.width}px`;
  return ghost;
};

draggable("[data-card]", {
  ignores: "button, input",
  slack: 6,
  start: () => (mayMove() ? {} : null),
  begin: (drag) => {
    const card = drag.element;
    const box = card.getBoundingClientRect();
    drag.dx = drag.x - box.left;
    drag.dy = drag.y - box.top;
    drag.ghost = ghostOf(card, box);
    document.body.append(drag.ghost);
    card.classList.add("is-carried");
    board().classList.add("is-dragging");
    announceCard("lifted", card, columnOf(card));
  },
  follow: (drag) => {
    drag.ghost.style.transform = `translate(${drag.x - drag.dx}px, ${drag.y - drag.dy}px)`;
    const column = columnOf(document.elementFromPoint(drag.x, drag.y));
    if (column === drag.over) return;
    drag.over?.classList.remove("is-over");
    drag.over = column;
    column?.classList.add("is-over");
  },
  scroll: (drag) => {
    scrollNearEdge(board(), "x", drag.x, EDGE, SPEED);
    const cards = drag.over && cardsOf(drag.over);
    if (cards) scrollNearEdge(cards, "y", drag.y, EDGE, SPEED);
  },
  end: (drag, dropped) => {
    drag.ghost.remove();
    drag.element.classList.remove("is-carried");
    drag.over?.classList.remove("is-over");
    board()?.classList.remove("is-dragging");
    if (dropped && drag.over) moveCard(drag.element, drag.over);
  },
});

on("click", "[data-card]", (event, card) => {
  if (event.defaultPrevented || event.target.closest("a, button, input")) return;
  if (event.shiftKey || event.ctrlKey || event.metaKey) {
    $(".deal-check", card)?.dispatchEvent(new MouseEvent("click", { bubbles: true, cancelable: true, shiftKey: event.shiftKey }));
    return;
  }
  linkOf(card)?.click();
});
