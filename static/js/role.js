/** The grid of a role: nothing reaches further than “View”, and Ctrl with an arrow goes to the next cell. */

import { $, $$, on } from "./dom.js";

const SCOPES = ["none", "own", "team", "all"];
const form = $("[data-role-editor]");
const reach = (select) => SCOPES.indexOf(select.value);

const lower = (select, most) => {
  if (reach(select) <= most) return false;
  select.value = SCOPES[most];
  select.dataset.scope = select.value;
  return true;
};

on("change", ".role-grid select", (event, changed) => {
  changed.dataset.scope = changed.value;
  changed.removeAttribute("aria-invalid");
  const cells = Object.fromEntries($$("select", changed.closest("tr")).map((cell) => [cell.dataset.action, cell]));
  const view = reach(cells.view);
  let lowered = ["edit", "delete", "export"].map((action) => lower(cells[action], view)).some(Boolean);
  if (view === 0) lowered = lower(cells.create, 0) || lowered;
  lowered = lower(cells.bulk, Math.max(reach(cells.edit), reach(cells.delete))) || lowered;
  $("[data-role-said]").textContent = lowered ? form.dataset.lowered : "";
});

on("keydown", ".role-grid select", (event, select) => {
  if (!event.ctrlKey) return;
  const row = select.closest("tr");
  const column = $$("select", row).indexOf(select);
  const next = {
    ArrowRight: () => $$("select", row)[column + 1],
    ArrowLeft: () => $$("select", row)[column - 1],
    ArrowDown: () => row.nextElementSibling && $$("select", row.nextElementSibling)[column],
    ArrowUp: () => row.previousElementSibling && $$("select", row.previousElementSibling)[column],
  }[event.key];
  if (!next) return;
  event.preventDefault();
  next()?.focus();
});
