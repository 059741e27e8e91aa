/** The board: cards are moved by mouse, by touch, by keyboard and by the menu "Move to…"; columns fold. */

import "./pointer.js";
import "./keyboard.js";
import { on } from "../dom.js";
import { columnOf } from "./elements.js";

on("click", "[data-fold]", (_event, button) => {
  const folded = columnOf(button).classList.toggle("is-folded");
  button.setAttribute("aria-expanded", String(!folded));
});
