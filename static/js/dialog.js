/**
 * Dialogs. htmx swaps content into #dialog-content or #drawer-content and the dialog around it opens; it closes on
 * Escape, on a click of [data-close] or beside it, having asked where something was typed, and on the event
 * `dialog:close`. [data-opens="id"] opens a dialog that is already in the page.
 */

import { ask } from "./confirm.js";
import { $, $$, on } from "./dom.js";
import { forget, hasDraft } from "./drafts.js";

const HOSTS = ["dialog-content", "drawer-content"];
let opener = null;

export const open = (dialog) => {
  if (dialog.open) return;
  opener = document.activeElement;
  dialog.showModal();
  dialog.querySelector("[autofocus]")?.focus();
  dialog.querySelector("input[autofocus]")?.select?.();
};

const close = (dialog) => {
  if (dialog.open) dialog.close();
};

const drafts = (dialog) => $$("form", dialog).filter(hasDraft);

/** Close it, having asked where something was typed. */
const leave = async (dialog) => {
  const typed = drafts(dialog);
  const { discard, discardYes, discardNo } = document.body.dataset;
  if (typed.length && !(await ask(discard, { danger: true, yes: discardYes, no: discardNo }))) return;
  typed.forEach(forget);
  close(dialog);
};

document.addEventListener("htmx:afterSwap", (event) => {
  const target = event.detail.target;
  if (!HOSTS.includes(target?.id)) return;
  const dialog = target.closest("dialog");
  if (target.childElementCount) {
    open(dialog);
    ($("[aria-invalid=true]", dialog) ?? $("[autofocus]", dialog))?.focus();
  } else close(dialog);
});

document.addEventListener(
  "close",
  (event) => {
    const dialog = event.target;
    if (!(dialog instanceof HTMLDialogElement)) return;
    for (const id of HOSTS) $(`#${id}`, dialog)?.replaceChildren();
    if (opener?.isConnected) opener.focus({ preventScroll: true });
    opener = null;
  },
  true,
);

/* Something was ticked off: what came of it, and what is next? */
document.addEventListener("activity:done", (event) => {
  if (!$("dialog[open]")) window.htmx.ajax("GET", event.detail.url, { target: "#dialog-content" });
});

document.addEventListener("dialog:close", () => $$("dialog[open]").forEach(close));

on("click", "[data-close]", (event, element) => {
  const dialog = element.closest("dialog");
  if (!dialog) return;
  event.preventDefault();
  leave(dialog);
});

document.addEventListener(
  "cancel",
  (event) => {
    if (!(event.target instanceof HTMLDialogElement) || !drafts(event.target).length) return;
    event.preventDefault();
    leave(event.target);
  },
  true,
);

on("click", "[data-opens]", (event, element) => {
  const dialog = document.getElementById(element.dataset.opens);
  if (!(dialog instanceof HTMLDialogElement)) return;
  event.preventDefault();
  open(dialog);
});

let pressedOutside = false;
const outside = (event) => {
  if (!(event.target instanceof HTMLDialogElement)) return false;
  const box = event.target.getBoundingClientRect();
  return event.clientX < box.left || event.clientX > box.right || event.clientY < box.top || event.clientY > box.bottom;
};
document.addEventListener("pointerdown", (event) => {
  pressedOutside = outside(event);
});
document.addEventListener("click", (event) => {
  if (!pressedOutside || !outside(event)) return;
  leave(event.target);
});
