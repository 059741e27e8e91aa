/**
 * The board: cards are carried by mouse, by touch (after a long press), by keyboard (space, arrows, space) and by the
 * "Move to…" menu. A card moves at once and goes back when the server refuses; a stage that asks for more opens a form.
 */

import { $, $$, isTyping, isVisible, on } from "./dom.js";

const PRESS = 280;
const SLACK = 6;
const EDGE = 56;
const SPEED = 14;

const board = () => $("[data-board]");
const columnOf = (element) => element?.closest("[data-stage]");
const cardsOf = (column) => $("[data-cards]", column);
const linkOf = (card) => $(".deal-name", card);
const mayMove = () => Boolean($("#move-menu"));

const say = (name, values) => {
  const words = board()?.dataset[name] ?? "";
  const region = $("[data-announce]");
  if (region) region.textContent = words.replace(/%\((\w+)\)s/g, (_all, key) => values[key] ?? "");
};
const selected = () => $$(".deal-check:checked", board());
const facts = (card, column) => ({ name: card.dataset.name, stage: column.dataset.name });

/* Moving ---------------------------------------------------------------- */

let pending = null;

const place = (card, column) => cardsOf(column).prepend(card);

const putBack = (move) => {
  if (!move || move.settled) return;
  move.settled = true;
  const card = document.getElementById(move.card.id);
  if (!card || !move.from.isConnected) return;
  if (move.next?.isConnected) move.next.before(card);
  else cardsOf(move.from)?.append(card);
  say("putBack", facts(card, move.from));
  if (move.focus) linkOf(card)?.focus();
};

const move = (card, to, { focus = false } = {}) => {
  const from = columnOf(card);
  if (!to) return;
  if (selected().length > 1 && $(".deal-check", card)?.checked) {
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
  if (column.dataset.stage !== detail.stage) place(card, $(`[data-stage="${CSS.escape(detail.stage)}"]`));
  say("dropped", facts(card, columnOf(card)));
  if (pending?.focus) linkOf(card)?.focus();
});

/* A form that was closed without being sent puts its card back. */
document.addEventListener(
  "close",
  (event) => {
    if (event.target.id === "dialog") setTimeout(() => putBack(pending), 50);
  },
  true,
);

/* Several at once ------------------------------------------------------- */

let lastTicked = null;

const tell = () => {
  const count = selected().length;
  const bar = $("[data-board-bar]");
  bar?.classList.toggle("is-open", count > 0);
  board()?.classList.toggle("has-selection", count > 0);
  const figure = bar && $("[data-selected-count]", bar);
  if (figure) figure.textContent = String(count);
};

const clearSelection = () => {
  for (const box of selected()) box.checked = false;
  tell();
};

const moveSelected = (to) => {
  const bar = $("[data-board-bar]");
  $("[data-together-stage]", bar).value = to.dataset.stage;
  const values = new FormData(bar);
  values.set("action", "move");
  window.htmx.ajax("POST", board().dataset.together, { source: board(), target: "#board", swap: "none", values: Object.fromEntries([...new Set(values.keys())].map((name) => [name, values.getAll(name)])) });
};

on("click", ".deal-check", (event, box) => {
  const all = $$(".deal-check", board());
  if (event.shiftKey && lastTicked?.isConnected) {
    const [from, to] = [all.indexOf(lastTicked), all.indexOf(box)].sort((a, b) => a - b);
    for (const one of all.slice(from, to + 1)) one.checked = box.checked;
  }
  lastTicked = box;
  tell();
});

const tick = (card) => {
  const box = $(".deal-check", card);
  if (!box) return false;
  box.checked = !box.checked;
  lastTicked = box;
  tell();
  say(box.checked ? "selected" : "unselected", { ...facts(card, columnOf(card)), count: selected().length });
  return true;
};

on("click", "[data-clear-selection]", clearSelection);
document.addEventListener("htmx:afterSettle", tell);
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || event.defaultPrevented || carried || isTyping() || $("dialog[open], .menu:popover-open")) return;
  if (selected().length) clearSelection();
});

/* Pointer --------------------------------------------------------------- */

let drag = null;

const under = (x, y) => columnOf(document.elementFromPoint(x, y));

const begin = (event) => {
  const { card } = drag;
  const box = card.getBoundingClientRect();
  drag.active = true;
  drag.dx = drag.x - box.left;
  drag.dy = drag.y - box.top;
  drag.ghost = card.cloneNode(true);
  drag.ghost.removeAttribute("id");
  drag.ghost.classList.add("is-ghost");
  drag.ghost.setAttribute("aria-hidden", "true");
  drag.ghost.style.inlineSize = `${box.width}px`;
  document.body.append(drag.ghost);
  card.classList.add("is-carried");
  board().classList.add("is-dragging");
  getSelection()?.removeAllRanges();
  say("lifted", facts(card, columnOf(card)));
  follow(event);
  scroll();
};

const follow = (event) => {
  drag.x = event.clientX;
  drag.y = event.clientY;
  drag.ghost.style.transform = `translate(${drag.x - drag.dx}px, ${drag.y - drag.dy}px)`;
  const column = under(drag.x, drag.y);
  if (column === drag.over) return;
  drag.over?.classList.remove("is-over");
  drag.over = column;
  column?.classList.add("is-over");
};

const scroll = () => {
  if (!drag?.active) return;
  const area = board();
  const box = area.getBoundingClientRect();
  if (drag.x < box.left + EDGE) area.scrollLeft -= SPEED;
  else if (drag.x > box.right - EDGE) area.scrollLeft += SPEED;
  const cards = drag.over && cardsOf(drag.over);
  if (cards) {
    const inner = cards.getBoundingClientRect();
    if (drag.y < inner.top + EDGE) cards.scrollTop -= SPEED;
    else if (drag.y > inner.bottom - EDGE) cards.scrollTop += SPEED;
  }
  requestAnimationFrame(scroll);
};

const end = (drop) => {
  if (!drag) return;
  const { card, over, ghost, active, timer } = drag;
  clearTimeout(timer);
  ghost?.remove();
  card.classList.remove("is-carried");
  over?.classList.remove("is-over");
  board()?.classList.remove("is-dragging");
  drag = null;
  if (!active) return;
  suppressClick = true;
  setTimeout(() => {
    suppressClick = false;
  });
  if (drop && over) move(card, over);
};

let suppressClick = false;

on("pointerdown", "[data-card]", (event, card) => {
  if (!mayMove() || event.button !== 0 || !event.isPrimary || event.target.closest("button, input")) return;
  end(false);
  drag = { card, x: event.clientX, y: event.clientY, startX: event.clientX, startY: event.clientY, active: false, touch: event.pointerType === "touch", id: event.pointerId };
  if (drag.touch) drag.timer = setTimeout(() => drag && !drag.active && begin(event), PRESS);
});

document.addEventListener("pointermove", (event) => {
  if (!drag || event.pointerId !== drag.id) return;
  if (drag.active) {
    follow(event);
    return;
  }
  if (Math.hypot(event.clientX - drag.startX, event.clientY - drag.startY) < SLACK) return;
  if (drag.touch) end(false);
  else begin(event);
});

document.addEventListener("pointerup", (event) => {
  if (drag && event.pointerId === drag.id) end(true);
});
document.addEventListener("pointercancel", () => end(false));
document.addEventListener(
  "touchmove",
  (event) => {
    if (drag?.active) event.preventDefault();
  },
  { passive: false },
);
document.addEventListener("contextmenu", (event) => {
  if (drag?.touch && event.target instanceof Element && event.target.closest("[data-card]")) event.preventDefault();
});
document.addEventListener("dragstart", (event) => {
  if (event.target instanceof Element && event.target.closest("[data-card]")) event.preventDefault();
});
document.addEventListener(
  "click",
  (event) => {
    if (!suppressClick) return;
    event.preventDefault();
    event.stopPropagation();
  },
  true,
);
addEventListener("blur", () => end(false));

/* A click anywhere on a card opens its deal. */
on("click", "[data-card]", (event, card) => {
  if (event.defaultPrevented || event.target.closest("a, button, input")) return;
  if (event.shiftKey || event.ctrlKey || event.metaKey) {
    $(".deal-check", card)?.dispatchEvent(new MouseEvent("click", { bubbles: true, cancelable: true, shiftKey: event.shiftKey }));
    return;
  }
  linkOf(card)?.click();
});

/* Keyboard -------------------------------------------------------------- */

let carried = null;

const columns = () => $$("[data-stage]", board());
const beside = (column, step) => {
  const all = columns();
  const rtl = getComputedStyle(board()).direction === "rtl" ? -1 : 1;
  return all[all.indexOf(column) + step * rtl];
};

const lift = (card) => {
  carried = { card, from: columnOf(card), next: card.nextElementSibling, over: columnOf(card) };
  card.classList.add("is-lifted");
  say("lifted", facts(card, carried.from));
};

const carry = (step) => {
  const over = beside(carried.over, step);
  if (!over) return;
  carried.over.classList.remove("is-over");
  carried.over = over;
  over.classList.add("is-over");
  over.scrollIntoView({ block: "nearest", inline: "nearest" });
  place(carried.card, over);
  linkOf(carried.card).focus();
  say("over", facts(carried.card, over));
};

const home = ({ card, from, next }) => {
  if (next?.isConnected) next.before(card);
  else cardsOf(from).append(card);
};

const letGo = (drop) => {
  const held = carried;
  carried = null;
  held.card.classList.remove("is-lifted");
  held.over.classList.remove("is-over");
  home(held);
  linkOf(held.card).focus();
  if (drop && held.over !== held.from) move(held.card, held.over, { focus: true });
  else say("putBack", facts(held.card, held.from));
};

const walk = (card, key) => {
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
    if (carried) letGo(true);
    else lift(card);
  } else if (carried && (key === "ArrowLeft" || key === "ArrowRight")) {
    event.preventDefault();
    carry(key === "ArrowRight" ? 1 : -1);
  } else if (carried && (key === "Escape" || key === "Tab")) {
    event.preventDefault();
    event.stopPropagation();
    letGo(false);
  } else if (carried && key === "Enter") {
    event.preventDefault();
    letGo(true);
  } else if (key.startsWith("Arrow") && !carried) {
    event.preventDefault();
    const next = walk(card, key);
    if (!next) return;
    linkOf(next).focus({ preventScroll: true });
    next.scrollIntoView({ block: "nearest", inline: "nearest" });
  } else if (key.toLowerCase() === "m" && mayMove()) {
    event.preventDefault();
    event.stopPropagation();
    openMenu(card, link);
  } else if (key.toLowerCase() === "x" && !carried && tick(card)) {
    event.preventDefault();
    event.stopPropagation();
  }
});

/* J and K walk the cards of a column, and from anywhere else to the first card. */
document.addEventListener("keydown", (event) => {
  const key = { j: "ArrowDown", k: "ArrowUp" }[event.key];
  if (!key || carried || event.ctrlKey || event.metaKey || event.altKey || isTyping() || $("dialog[open], .menu:popover-open")) return;
  const card = document.activeElement?.closest("[data-card]");
  const next = card ? walk(card, key) : $$("[data-card]").find(isVisible);
  if (!next) return;
  event.preventDefault();
  linkOf(next).focus({ preventScroll: true });
  next.scrollIntoView({ block: "nearest", inline: "nearest" });
});

document.addEventListener("focusout", (event) => {
  if (carried && event.target === linkOf(carried.card) && event.relatedTarget && !carried.card.contains(event.relatedTarget)) letGo(false);
});

/* The menu -------------------------------------------------------------- */

let chosen = null;

const openMenu = (card, at) => {
  const menu = $("#move-menu");
  chosen = { card, at };
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
  if (refocus) chosen?.at.focus();
};

on("click", "[data-move-selected]", (event, button) => {
  const [first] = selected();
  if (first) openMenu(first.closest("[data-card]"), button);
});
on("click", "[data-move]", (event, button) => openMenu(button.closest("[data-card]"), button));
on("click", "[data-move-to]", (event, item) => {
  const column = $(`[data-stage="${CSS.escape(item.dataset.moveTo)}"]`);
  const { card } = chosen;
  closeMenu(false);
  const together = selected().length > 1 || chosen.at.matches("[data-move-selected]");
  if (together && $(".deal-check", card)?.checked) moveSelected(column);
  else if (columnOf(card) === column) linkOf(card).focus();
  else move(card, column, { focus: true });
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

document.addEventListener("keydown", (event) => {
  if (event.key.toLowerCase() !== "m" || event.ctrlKey || event.metaKey || event.altKey || isTyping() || !mayMove()) return;
  const card = $("[data-card]:hover");
  if (card) openMenu(card, $("[data-move]", card));
});

/* Folding --------------------------------------------------------------- */

on("click", "[data-fold]", (event, button) => {
  const column = columnOf(button);
  const folded = column.classList.toggle("is-folded");
  button.setAttribute("aria-expanded", String(!folded));
});
