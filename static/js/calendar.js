/**
 * The calendar: activities are carried to another time by mouse, by touch (after a long press) and by keyboard (space,
 * arrows, space; with shift the length changes); a drag on the lower edge changes the length. What stands where is said
 * by data attributes, which the style sheet turns into places; the server has the last word and the page shows it.
 */

import { announce } from "./announce.js";
import { $, $$, on } from "./dom.js";
import { draggable, scrollNearEdge } from "./drag.js";

const SLOT = 15;
const SLOTS = 96;
const EDGE = 40;
const SPEED = 10;

const calendar = () => $("[data-calendar]");
const pageUrl = () => calendar().dataset.calendar;
const dayOf = (element) => element?.closest("[data-day]");
const linkOf = (entry) => $("[data-entry-link]", entry);

const clockOf = (minutes) => `${String(Math.floor(minutes / 60)).padStart(2, "0")}:${String(minutes % 60).padStart(2, "0")}`;

/** Say of an entry what the calendar's data attribute `name` has words for. */
const announceEntry = (name, entry) => {
  const day = dayOf(entry);
  const time = "timed" in day.dataset ? clockOf(Number(entry.dataset.from ?? 0) * SLOT) : "";
  announce($("[data-announce]"), calendar().dataset[name], { name: entry.dataset.name, day: day.dataset.label, time });
};

/* A place: the day's element, the slot in it and how many slots long. ------ */

const placeOf = (entry) => ({
  into: entry.parentElement,
  before: entry.nextElementSibling,
  from: entry.dataset.from,
  slots: entry.dataset.slots,
});

const put = (entry, place) => {
  if (place.before?.isConnected && place.before.parentElement === place.into) place.before.before(entry);
  else place.into.append(entry);
  for (const key of ["from", "slots"]) {
    if (place[key] === undefined) delete entry.dataset[key];
    else entry.dataset[key] = place[key];
  }
};

const listIn = (day) => $("[data-entries]", day);

const set = (entry, day, from, slots) => {
  const timed = "timed" in day.dataset;
  put(entry, {
    into: listIn(day),
    from: timed ? Math.max(0, Math.min(from, SLOTS - 1)) : undefined,
    slots: timed ? Math.max(1, Math.min(slots, SLOTS - from)) : undefined,
  });
};

const refresh = (focus) =>
  window.htmx.ajax("GET", pageUrl(), { source: calendar(), target: "#calendar", swap: "outerHTML" }).then(() => {
    if (focus) linkOf(document.getElementById(focus))?.focus();
  });

const send = (entry, start, { focus = false, resized = false } = {}) => {
  const day = dayOf(entry);
  const unchanged = start.into === entry.parentElement && start.from === entry.dataset.from && start.slots === entry.dataset.slots;
  if (unchanged) return;
  const values = { day: day.dataset.day, version: entry.dataset.version };
  if ("timed" in day.dataset) values.minute = Number(entry.dataset.from) * SLOT;
  else if ("whole" in day.dataset) values.all_day = "1";
  if (resized) values.minutes = Number(entry.dataset.slots) * SLOT;
  const done = () => refresh(focus ? entry.id : "");
  window.htmx.ajax("POST", entry.dataset.move, { source: calendar(), target: calendar(), swap: "none", values }).then(done, done);
};

/* Pointer ---------------------------------------------------------------- */

const slotAt = (day, y) => {
  const box = listIn(day).getBoundingClientRect();
  return Math.floor(((y - box.top) / box.height) * SLOTS);
};

draggable("[data-move]", {
  ignores: "button",
  slack: 5,
  start: (event, entry) => {
    const start = placeOf(entry);
    const day = dayOf(entry);
    const grip = "timed" in day.dataset ? slotAt(day, event.clientY) - Number(start.from) : 0;
    return { start, grip, resized: Boolean(event.target.closest("[data-length]")) };
  },
  begin: ({ element }) => {
    element.classList.add("is-carried");
    calendar().classList.add("is-dragging");
  },
  follow: ({ element, start, grip, resized, x, y }) => {
    if (resized) {
      const from = Number(start.from);
      element.dataset.slots = Math.max(1, Math.min(slotAt(dayOf(element), y) - from + 1, SLOTS - from));
      return;
    }
    const day = document.elementsFromPoint(x, y).map(dayOf).find(Boolean);
    if (!day) return;
    const slots = Number(start.slots ?? 4);
    const from = "timed" in day.dataset ? Math.max(0, Math.min(slotAt(day, y) - grip, SLOTS - slots)) : 0;
    if (day === dayOf(element) && ("timed" in day.dataset ? element.dataset.from === String(from) : true)) return;
    set(element, day, from, slots);
  },
  scroll: ({ y }) => {
    const area = $("[data-hours]");
    if (area && y > area.getBoundingClientRect().top - EDGE) scrollNearEdge(area, "y", y, EDGE, SPEED);
  },
  end: ({ element, start, resized }, dropped) => {
    element.classList.remove("is-carried");
    calendar()?.classList.remove("is-dragging");
    if (dropped) send(element, start, { resized });
    else put(element, start);
  },
});

/* A click on an empty half hour begins a meeting there. */
on("click", "[data-timed]", (event, day) => {
  if (!calendar().dataset.newUrl || event.target.closest("[data-entry]")) return;
  const minutes = Math.max(0, Math.min(Math.floor(slotAt(day, event.clientY) / 2) * 30, 23 * 60 + 30));
  const url = new URL(calendar().dataset.newUrl, location.href);
  url.searchParams.set("starts_at.day", day.dataset.day);
  url.searchParams.set("starts_at.time", clockOf(minutes));
  url.searchParams.set("next", pageUrl());
  window.htmx.ajax("GET", `${url.pathname}${url.search}`, { target: "#dialog-content" });
});

/* Keyboard ---------------------------------------------------------------- */

let carried = null;

const neighbour = (day, step) => {
  const row = $$("[data-day]", calendar()).filter((one) => "timed" in one.dataset === "timed" in day.dataset && "whole" in one.dataset === "whole" in day.dataset);
  return row[row.indexOf(day) + step];
};

const drop = (moves) => {
  const { entry, start, resized } = carried;
  carried = null;
  entry.classList.remove("is-carried");
  if (moves) {
    announceEntry("dropped", entry);
    send(entry, start, { focus: true, resized });
  } else {
    put(entry, start);
    announceEntry("putBack", entry);
  }
  linkOf(entry).focus();
};

const moveBy = (key, shift) => {
  const { entry } = carried;
  const day = dayOf(entry);
  const timed = "timed" in day.dataset;
  const rtl = getComputedStyle(calendar()).direction === "rtl" ? -1 : 1;
  const across = { ArrowLeft: -1, ArrowRight: 1 }[key];
  const down = { ArrowUp: -1, ArrowDown: 1 }[key];
  const from = Number(entry.dataset.from ?? 0);
  const slots = Number(entry.dataset.slots ?? 4);
  if (across) {
    const other = neighbour(day, across * rtl);
    if (other) set(entry, other, from, slots);
  } else if (timed && shift) {
    carried.resized = true;
    set(entry, day, from, slots + down);
  } else if (timed) {
    set(entry, day, Math.min(from + down, SLOTS - slots), slots);
  } else if (!("whole" in day.dataset)) {
    const other = neighbour(day, down * 7);
    if (other) set(entry, other, from, slots);
  }
  announceEntry("over", entry);
  linkOf(entry).focus();
  entry.scrollIntoView({ block: "nearest" });
};

on("keydown", "[data-move] [data-entry-link]", (event, link) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const entry = link.closest("[data-entry]");
  if (event.key === " ") {
    event.preventDefault();
    if (carried) drop(true);
    else {
      carried = { entry, start: placeOf(entry), resized: false };
      entry.classList.add("is-carried");
      announceEntry("lifted", entry);
    }
  } else if (carried && event.key.startsWith("Arrow")) {
    event.preventDefault();
    moveBy(event.key, event.shiftKey);
  } else if (carried && event.key === "Enter") {
    event.preventDefault();
    drop(true);
  } else if (carried && (event.key === "Escape" || event.key === "Tab")) {
    event.preventDefault();
    event.stopPropagation();
    drop(false);
  }
});
document.addEventListener("focusout", (event) => {
  if (carried && event.relatedTarget && !carried.entry.contains(event.relatedTarget)) drop(false);
});

/* The hours of work are in sight at first, and the line of now stays where now is. */
const settle = () => {
  const area = $("[data-hours]");
  if (!area) return;
  const now = $("[data-now]");
  if (now) {
    const here = new Date(new Date().toLocaleString("en-US", { timeZone: calendar().dataset.zone }));
    now.dataset.from = Math.floor((here.getHours() * 60 + here.getMinutes()) / SLOT);
  }
  if (area.dataset.settled) return;
  area.dataset.settled = "1";
  area.scrollTop = (area.scrollHeight * Number(area.dataset.hours)) / 24;
};

/* On a phone the page itself scrolls: to the hours of work of a day. */
const arrive = () => {
  const root = calendar();
  if (root.dataset.arrived || !matchMedia("(width < 720px)").matches) return;
  root.dataset.arrived = "1";
  const hours = $$(".cal-scale li").filter((one) => one.checkVisibility());
  hours[Number($("[data-hours]")?.dataset.hours)]?.scrollIntoView({ block: "start" });
};
settle();
arrive();
setInterval(settle, 60_000);
document.addEventListener("htmx:afterSettle", () => {
  settle();
  arrive();
});
document.addEventListener("task:changed", () => calendar() && refresh(""));
