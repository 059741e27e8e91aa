/** Editing in place: a .cell with data-edit="<url>" turns into the editor of its field, and back on Escape. */

import { $, $$, on } from "./dom.js";

const before = new WeakMap();

const isOpen = (cell) => Boolean($("[data-editor]", cell));

export const edit = (cell) => {
  if (!cell?.dataset.edit || isOpen(cell) || cell.classList.contains("is-loading")) return false;
  for (const other of $$(".cell.is-editing")) cancel(other, false);
  before.set(cell, cell.innerHTML);
  cell.classList.add("is-loading");
  window.htmx.ajax("GET", cell.dataset.edit, { target: cell, swap: "innerHTML" }).finally(() => cell.classList.remove("is-loading"));
  return true;
};

/* Where somebody else was quicker, what the cell held before is old: to leave means to keep what it is now. */
export const cancel = (cell, refocus = true) => {
  if (!before.has(cell)) return;
  const keep = $("[data-keep]", cell);
  if (keep) {
    keep.form.requestSubmit(keep);
    return;
  }
  cell.innerHTML = before.get(cell);
  window.htmx.process(cell);
  done(cell, refocus);
};

/** Leave the editor on purpose: what was typed is not wanted any more. */
const giveUp = (cell) => {
  const form = $("[data-editor]", cell);
  if (form) document.dispatchEvent(new CustomEvent("cell:given-up", { detail: form }));
  cancel(cell);
};

const done = (cell, refocus) => {
  before.delete(cell);
  cell.classList.remove("is-editing");
  if (refocus) (cell.closest("[data-grid]") ? cell : ($("[data-pen]", cell) ?? cell)).focus({ preventScroll: true });
};

const values = (form) => new URLSearchParams(new FormData(form)).toString();

/* At once, before anything can be typed into it. */
document.addEventListener("htmx:afterSwap", (event) => {
  const form = event.detail.target?.matches?.(".cell") && $("[data-editor]", event.detail.target);
  if (form) form.dataset.first = $("[aria-invalid=true], .editor-conflict", form) ? "" : values(form);
});

document.addEventListener("htmx:afterSettle", (event) => {
  const cell = event.detail.target;
  if (!cell?.matches?.(".cell")) return;
  const form = $("[data-editor]", cell);
  if (!form) {
    if (before.has(cell)) done(cell, cell.contains(document.activeElement) || document.activeElement === document.body);
    return;
  }
  cell.classList.add("is-editing");
  if (form.dataset.restored) form.dataset.first = "";
  const input = $("[autofocus]", form) ?? $("input:not([type=hidden]), select, textarea", form);
  input?.focus();
  if (input?.matches("input[type=text], input[type=email], input[type=tel], input[type=url]")) input.select();
});

const save = (form) => {
  if (form.dataset.first === values(form)) cancel(form.closest(".cell"));
  else form.requestSubmit();
};

on("click", ".cell[data-edit]", (event, cell) => {
  const control = event.target.closest("a, button, input, select, textarea, label, form");
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || (control && !control.matches("[data-pen]"))) return;
  if (getSelection()?.toString()) return;
  if (edit(cell)) event.preventDefault();
});

on("click", "[data-edit-field]", (event, button) => {
  const cell = $(`.cell[data-field="${CSS.escape(button.dataset.editField)}"]`);
  cell?.scrollIntoView({ block: "nearest" });
  edit(cell);
});

on("click", "[data-editor] [data-cancel]", (event, link) => {
  const cell = link.closest(".cell");
  if (!before.has(cell)) return;
  event.preventDefault();
  giveUp(cell);
});

on("keydown", "[data-editor]", (event, form) => {
  const cell = form.closest(".cell");
  if (!cell || event.isComposing) return;
  if (event.key === "Escape") {
    event.preventDefault();
    event.stopPropagation();
    giveUp(cell);
  } else if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    save(form);
  } else if (event.key === "Enter" && event.target.matches("input, select") && !event.defaultPrevented) {
    event.preventDefault();
    save(form);
  }
});

on("focusout", "[data-editor]", (event, form) => {
  const next = event.relatedTarget;
  if (form.contains(next)) return;
  const cell = form.closest(".cell");
  setTimeout(() => {
    if (!cell || !form.isConnected || form.contains(document.activeElement) || !document.hasFocus()) return;
    if (form.dataset.first === values(form)) cancel(cell, false);
    else if (!$("[aria-invalid=true], .editor-conflict", form)) form.requestSubmit();
  });
});

/* A choice made by hand is meant; one passed over with the arrow keys is not yet. */
let pointed = false;
document.addEventListener("pointerdown", () => {
  pointed = true;
}, true);
document.addEventListener("keydown", () => {
  pointed = false;
}, true);
on("change", "[data-editor] select, [data-editor] [data-combobox-value]", (event, input) => {
  const form = input.closest("[data-editor]");
  if (!form.matches("[data-widget=select], [data-widget=relation], [data-widget=reference]")) return;
  if (pointed || input.matches("[data-combobox-value]")) form.requestSubmit();
});

/* Linked records: what a combobox finds becomes a line of the list. */
on("change", "[data-links] [data-combobox-value]", (event, input) => {
  const box = input.closest("[data-links]");
  if (!input.value) return;
  const combobox = input.closest("[data-combobox]");
  const search = $("[role=combobox]", combobox);
  const list = $(".links-list", box);
  const known = $$("input[type=hidden]", list).some((one) => one.value === input.value);
  if (!known) {
    const item = $("template", box).content.firstElementChild.cloneNode(true);
    $("input[type=hidden]", item).value = input.value;
    $(".truncate", item).textContent = search.value;
    for (const named of $$("[aria-label]", item)) named.setAttribute("aria-label", `${named.getAttribute("aria-label")}: ${search.value}`);
    item.dataset.added = "1";
    list.append(item);
  }
  input.value = "";
  search.value = "";
  combobox.dataset.label = "";
});

document.addEventListener("reset", (event) => $$("[data-added]", event.target).forEach((item) => item.remove()));

on("click", "[data-links-remove]", (event, button) => {
  const box = button.closest("[data-links]");
  button.closest("li").remove();
  $("[role=combobox]", box)?.focus();
});
