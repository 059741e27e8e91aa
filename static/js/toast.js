/** Toasts: from the event `toast` {message, kind, undo_url, link_url, link_label}, and those that came with the page. */

import { $, $$, on } from "./dom.js";

const STAY = 6000;
const STAY_WITH_UNDO = 10000;
const timers = new WeakMap();
const region = $("#toasts");

const lift = () => {
  if (!region?.showPopover) return;
  if (region.matches(":popover-open")) region.hidePopover();
  if ($(".toast", region)) region.showPopover();
};

const remove = (toast) => {
  clearTimeout(timers.get(toast));
  toast.remove();
  if (!$(".toast", region) && region.matches(":popover-open")) region.hidePopover();
};

const arm = (toast) => {
  clearTimeout(timers.get(toast));
  if (toast.matches(".toast-error")) return;
  timers.set(toast, setTimeout(() => remove(toast), $("form", toast) ? STAY_WITH_UNDO : STAY));
};

export const show = ({ message, kind = "info", undo_url = "", link_url = "", link_label = "" }) => {
  const pattern = $("#toast-template")?.content.querySelector(`.toast-${CSS.escape(kind)}`) ?? $("#toast-template")?.content.querySelector(".toast");
  if (!region || !pattern || !message) return;
  const toast = pattern.cloneNode(true);
  $(".toast-text", toast).textContent = message;
  const form = $("form", toast);
  if (undo_url.startsWith("/")) form.action = undo_url;
  else form.remove();
  const link = $("a", toast);
  link.textContent = link_label;
  if (link_url.startsWith("/")) link.href = link_url;
  else link.remove();
  region.append(toast);
  lift();
  arm(toast);
};

const fromEvent = (event) => {
  const value = event.detail?.value ?? event.detail;
  for (const one of Array.isArray(value) ? value : [value]) show(typeof one === "string" ? { message: one } : one);
};
document.addEventListener("toast", fromEvent);

on("click", "[data-dismiss]", (event, button) => remove(button.closest(".toast")));

/** The ids of the records that the page shows. */
const shownIds = () => [...new Set($("main")?.innerHTML.match(/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/g) ?? [])].join(" ");

on("submit", "form[data-undo], form[data-redo], form[data-undo-last]", (event, form) => {
  if (!window.htmx) return;
  event.preventDefault();
  const url = form.getAttribute("action");
  const values = Object.fromEntries(new FormData(form));
  if (form.matches("[data-undo-last]")) values.shown = shownIds();
  const toast = form.closest(".toast");
  if (toast) remove(toast);
  window.htmx.ajax("POST", url, { source: document.body, target: document.body, swap: "none", values });
});

for (const type of ["pointerenter", "focusin"])
  region?.addEventListener(type, () => $$(".toast", region).forEach((toast) => clearTimeout(timers.get(toast))));
for (const type of ["pointerleave", "focusout"]) region?.addEventListener(type, () => $$(".toast", region).forEach(arm));

const say = (event, name) => {
  const words = document.body.dataset[name];
  if (words) show({ message: words, kind: "error" });
};
document.addEventListener("htmx:sendError", (event) => say(event, "offline"));
document.addEventListener("htmx:responseError", (event) => {
  const { status, responseURL } = event.detail.xhr;
  if (status === 401 || responseURL.endsWith("/inbox/badge/")) return;
  let message = "";
  try {
    message = JSON.parse(event.detail.xhr.getResponseHeader("HX-Trigger") ?? "{}").toast?.message ?? "";
  } catch {
    message = "";
  }
  if (!message) say(event, status === 403 ? "forbidden" : status === 404 ? "missing" : status === 429 ? "busy" : "failed");
});

/** Undo the change that the newest toast tells of, else the member's last one, which is asked where the page does not show it. */
export const undoLast = () => {
  const newest = $$(".toast", region ?? document).at(-1);
  const form = (newest && $("form[data-undo]", newest)) ?? $("form[data-undo-last]");
  form?.requestSubmit();
  return Boolean(form);
};

lift();
if (region) $$(".toast", region).forEach(arm);
