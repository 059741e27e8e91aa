/** Loaded on every page: makes what already works as links and forms quicker. */

import "./unpaid.js";
import "./drafts.js";
import "./menu.js";
import "./dialog.js";
import "./toast.js";
import "./theme.js";
import "./combobox.js";
import "./mentions.js";
import "./palette.js";
import "./keyboard.js";
import "./extras.js";
