/**
 * Lists put in order: [data-sortable] holds [data-sort-item]s, each with a [data-sort-handle]. Items are carried by mouse
 * and touch, or by keyboard: space picks up, the arrows carry, space puts down, Escape leaves all as it was. What happens
 * is said in the list's [data-announce]. The form named by data-form then sends the ids in their new order.
 */

import { announce } from "./announce.js";
import { $, $$, on } from "./dom.js";

let held = null;

const items = (list) => $$("[data-sort-item]", list);
const handleOf = (item) => $("[data-sort-handle]", item);

/** Say of an item what the list's data attribute `name` has words for. */
const announceItem = (list, name, item) => {
  const all = items(list);
  const values = { name: item.dataset.name, place: all.indexOf(item) + 1, count: all.length };
  announce(document.getElementById(list.dataset.announce), list.dataset[name], values);
};

const lift = (item) => {
  const list = item.closest("[data-sortable]");
  held = { item, list, before: items(list) };
  item.classList.add("is-lifted");
};

const moveBy = (step) => {
  const all = items(held.list);
  const other = all[all.indexOf(held.item) + step];
  if (!other) return;
  if (step < 0) other.before(held.item);
  else other.after(held.item);
  handleOf(held.item).focus();
  held.item.scrollIntoView({ block: "nearest" });
  announceItem(held.list, "over", held.item);
};

const restore = ({ list, before }) => before.forEach((item) => list.append(item));

const drop = (moves) => {
  const { item, list, before } = held;
  const move = held;
  held = null;
  item.classList.remove("is-lifted");
  const changed = items(list).some((one, place) => one !== before[place]);
  if (!moves) restore(move);
  announceItem(list, moves && changed ? "dropped" : "back", item);
  if (moves && changed) send(move);
};

const send = (move) => {
  const form = document.getElementById(move.list.dataset.form);
  const failed = (event) => {
    if (event.detail.elt !== form) return;
    document.removeEventListener("htmx:afterRequest", failed);
    if (event.detail.successful) return;
    const focused = document.activeElement;
    restore(move);
    focused?.focus();
    announceItem(move.list, "back", move.item);
  };
  document.addEventListener("htmx:afterRequest", failed);
  form.requestSubmit();
};

on("keydown", "[data-sort-handle]", (event, handle) => {
  const item = handle.closest("[data-sort-item]");
  const { key } = event;
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (key === " " || key === "Enter") {
    event.preventDefault();
    if (held) drop(true);
    else {
      lift(item);
      announceItem(held.list, "lifted", item);
    }
  } else if (held && ["ArrowUp", "ArrowDown"].includes(key)) {
    event.preventDefault();
    moveBy(key === "ArrowUp" ? -1 : 1);
  } else if (held && key === "Escape") {
    event.preventDefault();
    event.stopPropagation();
    drop(false);
    handle.focus();
  }
});

document.addEventListener("focusout", (event) => {
  if (held && !held.pointer && event.relatedTarget && !held.item.contains(event.relatedTarget)) drop(false);
});

on("pointerdown", "[data-sort-handle]", (event, handle) => {
  if (event.button !== 0 || !event.isPrimary || held) return;
  event.preventDefault();
  handle.focus();
  lift(handle.closest("[data-sort-item]"));
  held.pointer = event.pointerId;
});

document.addEventListener("pointermove", (event) => {
  if (!held || held.pointer !== event.pointerId) return;
  const y = event.clientY;
  if (y < 40) scrollBy(0, -12);
  else if (y > innerHeight - 40) scrollBy(0, 12);
  for (const other of items(held.list)) {
    if (other === held.item) continue;
    const box = other.getBoundingClientRect();
    const middle = box.top + box.height / 2;
    const follows = held.item.compareDocumentPosition(other) & Node.DOCUMENT_POSITION_FOLLOWING;
    if (follows && y > middle) other.after(held.item);
    else if (!follows && y < middle) {
      other.before(held.item);
      break;
    }
  }
});

document.addEventListener("pointerup", (event) => {
  if (held && held.pointer === event.pointerId) drop(true);
});
document.addEventListener("pointercancel", () => held?.pointer !== undefined && drop(false));
addEventListener("keydown", (event) => {
  if (event.key === "Escape" && held?.pointer !== undefined) drop(false);
});
