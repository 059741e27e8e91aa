/** Popover menus: placed at their button, walked with the arrow keys. */

import { $$, isVisible, on } from "./dom.js";

const GAP = 4;
const EDGE = 8;
const items = (menu) => $$(".menu-item:not(:disabled), .segmented button, .segmented a", menu).filter(isVisible);
const buttonOf = (menu) => document.querySelector(`[popovertarget="${CSS.escape(menu.id)}"]`);

const place = (menu) => {
  const button = buttonOf(menu);
  if (!button) return;
  const at = button.getBoundingClientRect();
  const size = menu.getBoundingClientRect();
  const rtl = getComputedStyle(button).direction === "rtl";
  let left = rtl ? at.right - size.width : at.left;
  if (left + size.width > innerWidth - EDGE) left = at.right - size.width;
  let top = at.bottom + GAP;
  if (top + size.height > innerHeight - EDGE && at.top - GAP - size.height > EDGE) top = at.top - GAP - size.height;
  menu.style.inset = "auto";
  menu.style.left = `${Math.max(EDGE, Math.min(left, innerWidth - size.width - EDGE))}px`;
  menu.style.top = `${Math.max(EDGE, Math.min(top, innerHeight - size.height - EDGE))}px`;
};

document.addEventListener(
  "toggle",
  (event) => {
    const menu = event.target;
    if (!(menu instanceof HTMLElement) || !menu.matches(".menu[popover]")) return;
    const open = event.newState === "open";
    buttonOf(menu)?.setAttribute("aria-expanded", String(open));
    if (!open) return;
    place(menu);
    if (menu.querySelector("[autofocus]")) menu.querySelector("[autofocus]").focus();
    else if (buttonOf(menu)?.matches(":focus-visible")) items(menu)[0]?.focus();
  },
  true,
);

on("keydown", ".menu[popover], [data-menu-button], [popovertarget]", (event, element) => {
  if (event.target instanceof HTMLInputElement && event.target.type !== "radio" && event.target.type !== "checkbox") return;
  const menu = element.matches(".menu") ? element : document.getElementById(element.getAttribute("popovertarget"));
  if (!menu?.matches(".menu")) return;
  if (!menu.matches(":popover-open")) {
    if (event.key !== "ArrowDown") return;
    event.preventDefault();
    menu.showPopover();
    items(menu)[0]?.focus();
    return;
  }
  const all = items(menu);
  const now = all.indexOf(document.activeElement);
  const next = {
    ArrowDown: all[(now + 1) % all.length],
    ArrowUp: all[(now - 1 + all.length) % all.length],
    Home: all[0],
    End: all.at(-1),
  }[event.key];
  if (!next) return;
  event.preventDefault();
  next.focus();
});

on("click", ".menu[popover] .menu-item", (event, item) => {
  const menu = item.closest(".menu[popover]");
  if (!item.matches("[data-keep-open]")) setTimeout(() => menu.hidePopover());
});

addEventListener("resize", () => $$(".menu:popover-open").forEach(place));
