/** The command palette: Ctrl+K or / opens it, arrows choose, Enter goes. */

import { $, $$, isVisible, on } from "./dom.js";
import { open } from "./dialog.js";

const dialog = $("#palette");
const input = () => $("[data-palette-input]", dialog);
const entries = () => $$("[data-palette-entry]", dialog);

const mark = (entry) => {
  entries().forEach((one) => one.setAttribute("aria-selected", String(one === entry)));
  if (!entry) return input().removeAttribute("aria-activedescendant");
  input().setAttribute("aria-activedescendant", entry.id);
  return entry.scrollIntoView({ block: "nearest" });
};

export const openPalette = () => {
  if (!dialog) return;
  open(dialog);
  input().value = "";
  input().focus();
  window.htmx?.trigger(input(), "palette:open");
};

on("click", "[data-palette]", (event) => {
  if (!dialog || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  $("#sidebar:popover-open")?.hidePopover();
  openPalette();
});

document.addEventListener("keydown", (event) => {
  if ((event.ctrlKey || event.metaKey) && !event.altKey && !event.shiftKey && event.key.toLowerCase() === "k") {
    event.preventDefault();
    if (dialog?.open) dialog.close();
    else openPalette();
  }
});

/** Actions that the page behind offers: visible elements with data-command="Label". */
const addCommands = (results) => {
  const words = input().value.trim().toLocaleLowerCase().split(/\s+/);
  const offered = $$("[data-command]").filter((one) => isVisible(one) || (words[0] && one.matches("[data-undo-last] *")));
  const wanted = offered.filter((one) => words.every((word) => one.dataset.command.toLocaleLowerCase().includes(word)));
  if (!wanted.length) return;
  const group = $("#palette-commands").content.firstElementChild.cloneNode(true);
  wanted.forEach((element, index) => {
    const entry = $("#palette-command").content.firstElementChild.cloneNode(true);
    entry.id = `palette-here-${index}`;
    $("span", entry).textContent = element.dataset.command;
    entry.addEventListener("click", (event) => {
      event.preventDefault();
      dialog.close();
      element.click();
    });
    group.append(entry);
  });
  const first = $("[role=group]", results);
  if (words[0] || !first) results.append(group);
  else first.before(group);
};

document.addEventListener("htmx:afterSwap", (event) => {
  if (event.detail.target?.id !== "palette-results") return;
  addCommands(event.detail.target);
  mark(entries()[0]);
});

dialog?.addEventListener("keydown", (event) => {
  const all = entries();
  const now = all.findIndex((one) => one.getAttribute("aria-selected") === "true");
  if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    event.preventDefault();
    mark(all[(now + (event.key === "ArrowDown" ? 1 : -1) + all.length) % all.length]);
  } else if (event.key === "Enter" && event.target === input()) {
    event.preventDefault();
    if (!all[now]) return;
    if (event.ctrlKey || event.metaKey) window.open(all[now].href, "_blank", "noopener");
    else all[now].click();
  }
});
