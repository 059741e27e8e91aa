/** A record's page and forms: edit in place, write in the composer, move a deal with M. */

import { edit } from "./cells.js";
import { $, $$, isTyping, on } from "./dom.js";

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || isTyping() || $("dialog[open], .menu:popover-open")) return;
  const key = event.key.toLowerCase();
  const acts = {
    e: () => {
      const focused = document.activeElement?.closest(".cell[data-edit]");
      return edit(focused ?? $(".record-name[data-edit]"));
    },
    m: () => {
      const stage = $(".stagebar [aria-current=step]") ?? $(".stagebar button");
      stage?.focus();
      return Boolean(stage);
    },
  };
  if ($("[data-record]") && acts[key]?.()) event.preventDefault();
});

on("keydown", ".stagebar button", (event, button) => {
  const all = $$("button", button.closest(".stagebar"));
  const rtl = getComputedStyle(button).direction === "rtl" ? -1 : 1;
  const step = { ArrowRight: rtl, ArrowLeft: -rtl }[event.key];
  if (!step) return;
  event.preventDefault();
  all[Math.max(0, Math.min(all.length - 1, all.indexOf(button) + step))].focus();
});

/* Nothing is refreshed under somebody's fingers. */
document.addEventListener("htmx:beforeRequest", (event) => {
  const place = event.detail.elt;
  if (place?.id !== "timeline" && place?.id !== "record-head") return;
  if ($("[data-editor]", place)) event.preventDefault();
});

/* Of the properties, those that changed with what was saved: the others keep the focus, or what is typed in them. */
document.addEventListener("htmx:oobBeforeSwap", (event) => {
  const { target, fragment } = event.detail;
  if (target.id !== "record-props") return;
  event.detail.shouldSwap = false;
  for (const fresh of $$("[data-field]", fragment)) {
    const cell = $(`[data-field="${CSS.escape(fresh.dataset.field)}"]`, target);
    if (!cell || $("[data-editor]", cell) || cell.innerHTML === fresh.innerHTML) continue;
    cell.innerHTML = fresh.innerHTML;
    window.htmx.process(cell);
  }
});

/* The composer's tabs show one form at a time. */
on("click", "[data-composer]", (event, tab) => {
  event.preventDefault();
  const activity = $(".record-switch [value=activity]");
  if (activity) activity.checked = true;
  const kind = tab.dataset.composer;
  $$("[data-composer]").forEach((one) => one.setAttribute("aria-selected", String(one === tab)));
  $$("[data-composer-body]").forEach((body) => {
    body.hidden = body.dataset.composerBody !== kind;
  });
  $(`[data-composer-body="${kind}"] :is(textarea, input:not([type=hidden]))`)?.focus();
});

on("keydown", "[data-composer]", (event, tab) => {
  const all = $$("[data-composer]", tab.closest("[role=tablist]"));
  const rtl = getComputedStyle(tab).direction === "rtl" ? -1 : 1;
  const step = { ArrowRight: rtl, ArrowLeft: -rtl }[event.key];
  const next = step && all[all.indexOf(tab) + step];
  if (!next) return;
  event.preventDefault();
  next.focus();
});

on("click", "[data-write]", (event, button) => $(`[data-composer="${button.dataset.write}"]`)?.click());

on("keydown", "[data-composer-body]", (event, body) => {
  if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
  event.preventDefault();
  $("form", body)?.requestSubmit();
});

document.addEventListener("htmx:afterRequest", (event) => {
  const form = event.detail.elt;
  if (event.detail.xhr?.status < 400 && form?.matches?.("[data-composer-body] form")) {
    form.reset();
    for (const more of $$("details[open]", form)) more.open = false;
  }
});
