/** The list: walk cells with the arrow keys, edit in place, select rows, arrange columns, build filters. */

import { $, $$, isTyping, on } from "./dom.js";
import { edit } from "./cells.js";

const cellsOf = (row) => $$(".cell", row);

const focusCell = (cell) => {
  if (!cell) return;
  cell.focus({ preventScroll: true });
  cell.scrollIntoView({ block: "nearest", inline: "nearest" });
};

on("keydown", "[data-grid] tbody tr", (event, row) => {
  if (event.defaultPrevented || isTyping(event.target) || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest("[data-editor]")) return;
  const cells = cellsOf(row);
  const cell = event.target.closest(".cell");
  const place = cells.indexOf(cell);
  const rtl = getComputedStyle(row).direction === "rtl";
  const beside = (step) => cells[Math.max(0, Math.min(cells.length - 1, place + step * (rtl ? -1 : 1)))];
  const inRow = (other) => (other?.matches("[data-row]") ? cellsOf(other)[Math.max(place, 0)] : null);
  const moves = {
    ArrowRight: () => beside(1),
    ArrowLeft: () => beside(-1),
    ArrowDown: () => inRow(row.nextElementSibling),
    ArrowUp: () => inRow(row.previousElementSibling),
    Home: () => cells[0],
    End: () => cells.at(-1),
  };
  if (moves[event.key] && !event.target.matches("input")) {
    const next = moves[event.key]();
    if (next) {
      event.preventDefault();
      focusCell(next);
    }
  } else if (event.key === "Enter" && event.target === cell) {
    event.preventDefault();
    const link = $("[data-row-link]", cell);
    if (link) link.click();
    else edit(cell);
  }
});

document.addEventListener("keydown", (event) => {
  if (event.key.toLowerCase() !== "e" || event.ctrlKey || event.metaKey || event.altKey || isTyping() || $("dialog[open], .menu:popover-open")) return;
  const row = $("[data-grid] tr.is-current");
  if (!row) return;
  const cell = row.contains(document.activeElement) ? document.activeElement.closest(".cell") : null;
  if (edit(cell ?? cellsOf(row)[0])) event.preventDefault();
});

/* Selection ------------------------------------------------------------- */

const boxes = () => $$("[data-grid] tbody input[name=id]");
let last = null;

/** Everything the list shows is selected, also what is not on the screen. */
const everything = (bar, on) => {
  $("[data-all]", bar).value = on ? "1" : "";
  for (const one of [bar, ...$$("[data-question]", bar)]) {
    if (on) one.dataset.confirm = one.dataset.question.replace("%s", $("[data-select-count]", bar).textContent);
    else delete one.dataset.confirm;
  }
};

const updateSelection = () => {
  const all = boxes();
  const total = $("[data-count]");
  const chosen = all.filter((box) => box.checked).length;
  const bar = $("[data-bulkbar]");
  if (bar) {
    bar.classList.toggle("is-open", chosen > 0);
    const offer = $("[data-select-all]", bar);
    const whole = $("[data-all]", bar).value === "1" && chosen === all.length;
    if (!whole) everything(bar, false);
    $("[data-select-count]", offer).textContent = total?.dataset.countText ?? "";
    $("[data-selected]", bar).textContent = whole ? total?.dataset.countText : String(chosen);
    const choice = $("[data-on-error]", bar);
    choice.hidden = !whole && chosen <= Number(bar.dataset.atOnce);
    if (choice.hidden) $("input", choice).checked = false;
    offer.hidden = whole || Number(total?.dataset.count ?? 0) <= chosen;
  }
  const every = $("[data-check-all]");
  if (every) {
    every.checked = chosen > 0 && chosen === all.length;
    every.indeterminate = chosen > 0 && chosen < all.length;
  }
};

on("click", "[data-grid] tbody input[name=id]", (event, box) => {
  const all = boxes();
  if (event.shiftKey && last && all.includes(last)) {
    const [from, to] = [all.indexOf(last), all.indexOf(box)].sort((a, b) => a - b);
    all.slice(from, to + 1).forEach((one) => {
      one.checked = box.checked;
    });
  }
  last = box;
  updateSelection();
});

const check = (checked) => {
  boxes().forEach((box) => {
    box.checked = checked;
  });
  updateSelection();
};

on("change", "[data-check-all]", (event, every) => check(every.checked));

on("click", "[data-select-all]", (event, button) => {
  everything(button.closest("[data-bulkbar]"), true);
  check(true);
  $("[data-bulkbar] select, [data-bulkbar] button[name=action]")?.focus();
});

on("click", "[data-group]", (event, button) => {
  const rows = document.getElementById(button.dataset.group);
  const open = button.getAttribute("aria-expanded") === "true";
  button.setAttribute("aria-expanded", String(!open));
  rows.hidden = open;
});

on("click", "[data-bulkbar] [data-clear]", (event) => {
  event.preventDefault();
  check(false);
});

document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || event.defaultPrevented || isTyping() || $("dialog[open], .menu:popover-open")) return;
  if (boxes().some((box) => box.checked)) check(false);
});

/* Where everything is selected, so are the rows that come while one scrolls. */
document.addEventListener("htmx:afterSettle", () => ($("[data-bulkbar] [data-all]")?.value === "1" ? check(true) : updateSelection()));
document.addEventListener("htmx:configRequest", (event) => {
  if (event.target.matches("[data-bulkbar]") && $("[data-all]", event.target).value === "1") event.detail.formData.delete("id");
});

/* Columns --------------------------------------------------------------- */

on("click", "[data-column] [data-up], [data-column] [data-down]", (event, button) => {
  const item = button.closest("[data-column]");
  const up = button.matches("[data-up]");
  const other = up ? item.previousElementSibling : item.nextElementSibling;
  if (!other || $("input:disabled", other)) return;
  if (up) other.before(item);
  else other.after(item);
  button.focus();
});

/* Filters --------------------------------------------------------------- */

on("change", "[data-conditions] [data-refresh]", (event, select) => {
  const form = select.closest("form");
  window.htmx.ajax("GET", form.getAttribute("action"), { source: form, target: form, swap: "outerHTML" });
});

document.addEventListener("htmx:afterSwap", (event) => {
  const menu = $("#filter-menu");
  if (!menu?.matches(":popover-open") || !menu.contains(event.detail.elt) && event.detail.target?.id !== "filter-form") return;
  window.dispatchEvent(new Event("resize"));
  const rows = $$(".filter-row", menu);
  if (menu.contains(document.activeElement) && document.activeElement.matches("select")) return;
  (rows.length ? $("select, input:not([type=hidden])", rows.at(-1)) : $("button[name=add]", menu))?.focus();
});

updateSelection();
