/**
 * What is typed is not lost. Whatever somebody changes in a form that is sent by POST stays in this tab's memory until
 * the server has taken it: by a session that ended, Back, a reload, a conflict or a failure of the server. When the page is
 * open again, its forms, its dialog or the cell that was being edited are filled as they were. Drafts are of one member:
 * another one in the same tab finds none, and signing out ends them. Forms with a password or a file keep none.
 */

import { $, $$, on } from "./dom.js";
import { edit } from "./cells.js";
import { show as showMentions } from "./mentions.js";
import { show as toast } from "./toast.js";

const PREFIX = "draft:";
const KEPT_FOR = 24 * 60 * 60 * 1000;
const SECRET = "[type=password], [type=file], [autocomplete=one-time-code]";
const NEVER = ["csrfmiddlewaretoken"];
const who = document.body.dataset.who ?? "";
const here = location.pathname + location.search;
const firsts = new WeakMap();

const keyOf = (form) => `${PREFIX}${who}:${form.getAttribute("action") || location.pathname}`;
const keys = () => Object.keys(sessionStorage).filter((key) => key.startsWith(PREFIX));
const read = (key) => {
  try {
    return JSON.parse(sessionStorage.getItem(key));
  } catch {
    return null;
  }
};
const write = (key, draft) => {
  try {
    sessionStorage.setItem(key, JSON.stringify(draft));
  } catch {
    sessionStorage.removeItem(key);
  }
};

const isKept = (form) =>
  Boolean(who) && form instanceof HTMLFormElement && form.method === "post" && !form.matches("[data-bulkbar], [data-undo], [data-redo]") && !$(SECRET, form);

const valuesOf = (form) => [...new FormData(form)].filter(([name, value]) => !NEVER.includes(name) && typeof value === "string");
const textOf = (values) => JSON.stringify(values);
const boxes = (form) => $$("[data-combobox] [role=combobox]", form);
const linkLists = (form) => $$("[data-links]", form);
const linksOf = (list) =>
  $$(".links-list .links-item", list).map((item) => ({ title: $(".truncate", item).textContent, values: $$("input, select", item).map((one) => one.value) }));

/** What the form held when it came, before anybody changed it. */
const firstOf = (form) => {
  if (!firsts.has(form)) firsts.set(form, textOf(valuesOf(form)));
  return firsts.get(form);
};

/** Whether the form holds something that would be lost with it. */
export const hasDraft = (form) => isKept(form) && sessionStorage.getItem(keyOf(form)) !== null;
export const forget = (form) => sessionStorage.removeItem(keyOf(form));

const keep = (form) => {
  const key = keyOf(form);
  const first = read(key)?.first ?? firstOf(form);
  const values = valuesOf(form);
  if (textOf(values) === first) {
    sessionStorage.removeItem(key);
    return;
  }
  const dialog = form.closest("dialog");
  write(key, {
    first,
    values,
    texts: boxes(form).map((box) => box.value),
    links: linkLists(form).map(linksOf),
    page: here,
    cell: Boolean(form.closest(".cell")),
    from: dialog?.dataset.from ?? "",
    at: Date.now(),
  });
};

const fillLinks = (list, items) => {
  const place = $(".links-list", list);
  place.replaceChildren();
  for (const { title, values } of items) {
    const item = $("template", list).content.firstElementChild.cloneNode(true);
    $(".truncate", item).textContent = title;
    $$("input, select", item).forEach((one, index) => {
      one.value = values[index] ?? "";
    });
    item.dataset.added = "1";
    place.append(item);
  }
};

const fill = (form, draft) => {
  linkLists(form).forEach((list, index) => draft.links[index] && fillLinks(list, draft.links[index]));
  const left = new Map();
  for (const [name, value] of draft.values) left.set(name, [...(left.get(name) ?? []), value]);
  for (const input of form.elements) {
    if (!input.name || input.matches("button, [type=submit]") || NEVER.includes(input.name) || input.form !== form) continue;
    const values = left.get(input.name) ?? [];
    const before = input.type === "checkbox" || input.type === "radio" ? input.checked : input.value;
    if (input.type === "checkbox" || input.type === "radio") input.checked = values.includes(input.value);
    else if (values.length) input.value = values.shift();
    const after = input.type === "checkbox" || input.type === "radio" ? input.checked : input.value;
    if (before !== after && input.closest("details")) input.closest("details").open = true;
    if (input.matches("textarea")) showMentions(input);
  }
  boxes(form).forEach((box, index) => {
    box.value = draft.texts[index] ?? box.value;
    box.closest("[data-combobox]").dataset.label = box.value;
  });
  const hidden = form.closest("[data-composer-body][hidden]");
  if (hidden) $(`[data-composer="${CSS.escape(hidden.dataset.composerBody)}"]`)?.click();
};

const isRefused = (form) => Boolean($("[aria-invalid=true], .field-errors, .editor-conflict, .callout-danger", form));

/** Fill the form as it was left, if it was; says whether it was. What was sent and changed the form since was taken. */
const restore = (form) => {
  if (!isKept(form)) return false;
  const first = firstOf(form);
  const draft = read(keyOf(form));
  if (!draft) return false;
  if (draft.sent && first !== draft.first && !isRefused(form)) {
    forget(form);
    return false;
  }
  if (draft.sent) write(keyOf(form), { ...draft, sent: false });
  fill(form, draft);
  const differs = textOf(valuesOf(form)) !== first;
  if (differs) form.dataset.restored = "1";
  else if (!isRefused(form)) forget(form);
  return differs;
};

const told = () => {
  toast({ message: document.body.dataset.restored });
};

/* What comes with the page, and what htmx puts into it. -------------------- */

/** Drafts that were sent are done with, unless the page that came is the form again; so are those of others. */
const settle = () => {
  const taken = Boolean($("#toasts .toast-success"));
  const forms = $$("form").filter(isKept).map(keyOf);
  for (const key of keys()) {
    const draft = read(key);
    const stays = draft && key.startsWith(`${PREFIX}${who}:`) && Date.now() - draft.at < KEPT_FOR;
    if (!stays || (draft.sent && (taken || !forms.includes(key)))) sessionStorage.removeItem(key);
  }
};

/** The server failed, or refused on a page of its own: nothing that was sent was taken. */
const unsend = () => keys().forEach((key) => write(key, { ...read(key), sent: false }));

/** The dialog or the cell that was open on this page. */
const reopen = () => {
  const open = keys()
    .map(read)
    .filter((draft) => draft?.page === here && (draft.cell || draft.from))
    .sort((one, other) => other.at - one.at)[0];
  if (!open) return;
  const action = keys().find((key) => read(key)?.at === open.at).slice(`${PREFIX}${who}:`.length);
  if (open.cell) edit($(`.cell[data-edit="${CSS.escape(action)}"]`));
  else window.htmx.ajax("GET", open.from, { target: "#dialog-content" });
};

if ($("[data-error-page]")) unsend();
if (who) {
  settle();
  if ($$("form").filter(restore).length) told();
  document.addEventListener("DOMContentLoaded", reopen, { once: true });
  if (document.readyState === "complete") reopen();
}

document.addEventListener("htmx:afterSwap", (event) => {
  const { target, requestConfig, elt } = event.detail;
  const dialog = target?.closest?.("dialog");
  if (dialog && requestConfig?.verb === "get" && target.id === "dialog-content") dialog.dataset.from = requestConfig.path;
  const place = elt?.isConnected ? elt : target;
  const forms = place?.matches?.("form") ? [place] : $$("form", place ?? undefined);
  if (forms.filter((form) => !firsts.has(form) && restore(form)).length && requestConfig?.verb === "get") told();
});

/* While somebody writes. --------------------------------------------------- */

const noticed = (event) => {
  const form = event.target instanceof Element ? event.target.closest("form") ?? event.target.form : null;
  if (form && isKept(form)) keep(form);
};
document.addEventListener("input", noticed);
document.addEventListener("change", noticed);
document.addEventListener("focusin", (event) => {
  const form = event.target instanceof Element ? event.target.closest("form") : null;
  if (form && isKept(form)) firstOf(form);
});
on("click", "[data-links-remove]", (event, button) => {
  const form = button.closest("form");
  if (form) queueMicrotask(() => isKept(form) && keep(form));
});

/* Once it is sent, given up, or the member goes. ---------------------------- */

const answered = (event) => {
  const { xhr, requestConfig } = event.detail;
  const form = requestConfig?.elt;
  const isTaken = xhr?.status >= 200 && xhr.status < 400;
  if (isTaken && requestConfig.verb === "post" && isKept(form)) forget(form);
};
/* Of a form that has left the page meanwhile, as where the next cell was opened at once, htmx tells the first only. */
document.addEventListener("htmx:beforeSwap", answered);
document.addEventListener("htmx:afterRequest", answered);
window.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.getAttribute("action")?.endsWith("/signout/")) keys().forEach((key) => sessionStorage.removeItem(key));
  if (event.defaultPrevented || !hasDraft(form)) return;
  write(keyOf(form), { ...read(keyOf(form)), sent: true });
});
document.addEventListener("reset", (event) => {
  if (isKept(event.target)) forget(event.target);
});
document.addEventListener("cell:given-up", (event) => forget(event.detail));

/* A look for news that finds the session ended does not take the page away from under somebody who writes. */
document.addEventListener("htmx:beforeOnLoad", (event) => {
  const { xhr, requestConfig } = event.detail;
  if (xhr.status === 401 && requestConfig.verb === "get" && $$("form").some(hasDraft)) event.preventDefault();
});
