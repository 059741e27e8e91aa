/**
 * Dragging by pointer: with the mouse once it has moved a little, by touch after a long press, so that a finger that moves
 * at once scrolls. One thing is dragged at a time; what a click would do after it is left out.
 */

import { on } from "./dom.js";

const LONG_PRESS = 280;

/** Scroll an area along an axis ("x" or "y") while `at` is within `edge` pixels of one of its ends. */
export const scrollNearEdge = (area, axis, at, edge, speed) => {
  const box = area.getBoundingClientRect();
  const [start, end, property] = axis === "x" ? [box.left, box.right, "scrollLeft"] : [box.top, box.bottom, "scrollTop"];
  if (at < start + edge) area[property] -= speed;
  else if (at > end - edge) area[property] += speed;
};

/**
 * Let elements that match be dragged. `start(event, element)` gives what the others need to know, or null where nothing is
 * dragged; they get that with `element`, `x` and `y`: `begin` once, `follow` at each move, `scroll` at each frame, and `end`
 * with whether it was dropped or given up; `end` is only called for what had begun.
 */
export const draggable = (selector, { ignores, slack, start, begin, follow, scroll, end }) => {
  let drag = null;
  let suppressClick = false;

  const frame = () => {
    if (!drag?.active) return;
    scroll(drag);
    requestAnimationFrame(frame);
  };

  const activate = () => {
    drag.active = true;
    getSelection()?.removeAllRanges();
    begin(drag);
    follow(drag);
    frame();
  };

  const finish = (dropped) => {
    if (!drag) return;
    const ended = drag;
    drag = null;
    clearTimeout(ended.timer);
    if (!ended.active) return;
    suppressClick = true;
    setTimeout(() => {
      suppressClick = false;
    });
    end(ended, dropped);
  };

  on("pointerdown", selector, (event, element) => {
    if (event.button !== 0 || !event.isPrimary || event.target.closest(ignores)) return;
    finish(false);
    const known = start(event, element);
    if (!known) return;
    drag = { ...known, element, x: event.clientX, y: event.clientY, pointer: event.pointerId, touch: event.pointerType === "touch", active: false };
    if (drag.touch) drag.timer = setTimeout(activate, LONG_PRESS);
  });

  document.addEventListener("pointermove", (event) => {
    if (!drag || event.pointerId !== drag.pointer) return;
    if (!drag.active) {
      if (Math.hypot(event.clientX - drag.x, event.clientY - drag.y) < slack) return;
      if (drag.touch) {
        finish(false);
        return;
      }
      activate();
    }
    drag.x = event.clientX;
    drag.y = event.clientY;
    follow(drag);
  });

  document.addEventListener("pointerup", (event) => {
    if (drag && event.pointerId === drag.pointer) finish(true);
  });
  document.addEventListener("pointercancel", () => finish(false));
  addEventListener("blur", () => finish(false));
  document.addEventListener(
    "touchmove",
    (event) => {
      if (drag?.active) event.preventDefault();
    },
    { passive: false },
  );
  on("contextmenu", selector, (event) => {
    if (drag?.touch) event.preventDefault();
  });
  on("dragstart", selector, (event) => event.preventDefault());
  document.addEventListener(
    "click",
    (event) => {
      if (!suppressClick) return;
      event.preventDefault();
      event.stopPropagation();
    },
    true,
  );
};
