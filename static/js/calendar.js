/**
 * The calendar: activities are carried to another time by mouse, by touch (after a long press) and by keyboard (space,
 * arrows, space; with shift the length changes); a drag on the lower edge changes the length. What stands where is said
 * by data attributes, which the style sheet turns into places; the server has the last word and the page shows it.
 */

import { $, $$, on } from "./dom.js";

const SLOT = 15;
const SLOTS = 96;
const PRESS = 280;
const SLACK = 5;
const EDGE = 40;
const SPEED = 10;

const calendar = () => $("[data-calendar]");
const pageUrl = () => calendar().dataset.calendar;
const dayOf = (element) => element?.closest("[data-day]");
const linkOf = (entry) => $("[data-entry-link]", entry);

const say = (name, entry) => {
  const region = $("[data-announce]");
  const day = dayOf(entry);
  const minutes = Number(entry.dataset.from ?? 0) * SLOT;
  const clock = "timed" in day.dataset ? `${String(Math.floor(minutes / 60)).padStart(2, "0")}:${String(minutes % 60).padStart(2, "0")}` : "";
  const values = { name: entry.dataset.name, day: day.dataset.label, time: clock };
  region.textContent = (calendar().dataset[name] ?? "").replace(/%\((\w+)\)s/g, (_all, key) => values[key] ?? "").trim();
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

let drag = null;
let suppressClick = false;

const slotAt = (day, y) => {
  const box = listIn(day).getBoundingClientRect();
  return Math.floor(((y - box.top) / box.height) * SLOTS);
};

const begin = () => {
  drag.active = true;
  drag.entry.classList.add("is-carried");
  calendar().classList.add("is-dragging");
  getSelection()?.removeAllRanges();
  scroll();
};

const follow = (x, y) => {
  drag.x = x;
  drag.y = y;
  if (drag.resize) {
    const from = Number(drag.start.from);
    drag.entry.dataset.slots = Math.max(1, Math.min(slotAt(dayOf(drag.entry), y) - from + 1, SLOTS - from));
    return;
  }
  const day = document.elementsFromPoint(x, y).map(dayOf).find(Boolean);
  if (!day) return;
  const slots = Number(drag.start.slots ?? 4);
  const from = "timed" in day.dataset ? Math.max(0, Math.min(slotAt(day, y) - drag.grip, SLOTS - slots)) : 0;
  if (day === dayOf(drag.entry) && ("timed" in day.dataset ? drag.entry.dataset.from === String(from) : true)) return;
  set(drag.entry, day, from, slots);
};

const scroll = () => {
  if (!drag?.active) return;
  const area = $("[data-hours]");
  if (area) {
    const box = area.getBoundingClientRect();
    if (drag.y < box.top + EDGE && drag.y > box.top - EDGE) area.scrollTop -= SPEED;
    else if (drag.y > box.bottom - EDGE) area.scrollTop += SPEED;
  }
  requestAnimationFrame(scroll);
};

const end = (drop) => {
  if (!drag) return;
  const { entry, start, active, timer, resize } = drag;
  clearTimeout(timer);
  entry.classList.remove("is-carried");
  calendar()?.classList.remove("is-dragging");
  drag = null;
  if (!active) return;
  suppressClick = true;
  setTimeout(() => {
    suppressClick = false;
  });
  if (drop) send(entry, start, { resized: resize });
  else put(entry, start);
};

on("pointerdown", "[data-move]", (event, entry) => {
  if (event.button !== 0 || !event.isPrimary || event.target.closest("button")) return;
  end(false);
  const start = placeOf(entry);
  const day = dayOf(entry);
  const grip = "timed" in day.dataset ? slotAt(day, event.clientY) - Number(start.from) : 0;
  drag = { entry, start, grip, x: event.clientX, y: event.clientY, id: event.pointerId, active: false, touch: event.pointerType === "touch", resize: Boolean(event.target.closest("[data-length]")) };
  if (drag.touch) drag.timer = setTimeout(() => drag && !drag.active && begin(), PRESS);
});

document.addEventListener("pointermove", (event) => {
  if (!drag || event.pointerId !== drag.id) return;
  if (!drag.active) {
    if (Math.hypot(event.clientX - drag.x, event.clientY - drag.y) < SLACK) return;
    if (drag.touch) {
      end(false);
      return;
    }
    begin();
  }
  follow(event.clientX, event.clientY);
});
document.addEventListener("pointerup", (event) => {
  if (drag && event.pointerId === drag.id) end(true);
});
document.addEventListener("pointercancel", () => end(false));
addEventListener("blur", () => end(false));
document.addEventListener(
  "touchmove",
  (event) => {
    if (drag?.active) event.preventDefault();
  },
  { passive: false },
);
on("contextmenu", "[data-move]", (event) => {
  if (drag?.touch) event.preventDefault();
});
on("dragstart", "[data-move]", (event) => event.preventDefault());
document.addEventListener(
  "click",
  (event) => {
    if (!suppressClick) return;
    event.preventDefault();
    event.stopPropagation();
  },
  true,
);

/* A click on an empty half hour begins a meeting there. */
on("click", "[data-timed]", (event, day) => {
  if (!calendar().dataset.newUrl || event.target.closest("[data-entry]")) return;
  const minutes = Math.max(0, Math.min(Math.floor(slotAt(day, event.clientY) / 2) * 30, 23 * 60 + 30));
  const clock = `${String(Math.floor(minutes / 60)).padStart(2, "0")}:${String(minutes % 60).padStart(2, "0")}`;
  const url = new URL(calendar().dataset.newUrl, location.href);
  url.searchParams.set("starts_at.day", day.dataset.day);
  url.searchParams.set("starts_at.time", clock);
  url.searchParams.set("next", pageUrl());
  window.htmx.ajax("GET", `${url.pathname}${url.search}`, { target: "#dialog-content" });
});

/* Keyboard ---------------------------------------------------------------- */

let carried = null;

const neighbour = (day, step) => {
  const row = $$("[data-day]", calendar()).filter((one) => "timed" in one.dataset === "timed" in day.dataset && "whole" in one.dataset === "whole" in day.dataset);
  return row[row.indexOf(day) + step];
};

const letGo = (drop) => {
  const { entry, start, resized } = carried;
  carried = null;
  entry.classList.remove("is-carried");
  if (drop) {
    say("dropped", entry);
    send(entry, start, { focus: true, resized });
  } else {
    put(entry, start);
    say("putBack", entry);
  }
  linkOf(entry).focus();
};

const carry = (key, shift) => {
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
  say("over", entry);
  linkOf(entry).focus();
  entry.scrollIntoView({ block: "nearest" });
};

on("keydown", "[data-move] [data-entry-link]", (event, link) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const entry = link.closest("[data-entry]");
  if (event.key === " ") {
    event.preventDefault();
    if (carried) letGo(true);
    else {
      carried = { entry, start: placeOf(entry), resized: false };
      entry.classList.add("is-carried");
      say("lifted", entry);
    }
  } else if (carried && event.key.startsWith("Arrow")) {
    event.preventDefault();
    carry(event.key, event.shiftKey);
  } else if (carried && event.key === "Enter") {
    event.preventDefault();
    letGo(true);
  } else if (carried && (event.key === "Escape" || event.key === "Tab")) {
    event.preventDefault();
    event.stopPropagation();
    letGo(false);
  }
});
document.addEventListener("focusout", (event) => {
  if (carried && event.relatedTarget && !carried.entry.contains(event.relatedTarget)) letGo(false);
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
