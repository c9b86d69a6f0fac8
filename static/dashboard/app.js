// What every page loads. Parts that only some pages need are imported where their element is.

import { wireActions } from "./actions.js";
import { startClock } from "./clock.js";
import { wireKeyboard } from "./keyboard.js";
import { startLive } from "./live.js";
import { wireTables } from "./tables.js";
import { wireTheme } from "./theme.js";
import { wireZone } from "./zone.js";

document.documentElement.classList.add("scripted");
wireTheme();
wireZone();
wireActions();
wireTables();
wireKeyboard();
startClock();
startLive();

if (document.getElementById("charts")) import("./charts.js").then((charts) => charts.start());
if (document.querySelector("#account[data-events]")) import("./notices.js").then((notices) => notices.start());
if (document.getElementById("edit")) import("./edit.js").then((edit) => edit.start());
if (document.getElementById("priced")) import("./symbol.js").then((symbol) => symbol.start());
if (document.getElementById("compared")) import("./compare.js").then((compare) => compare.start());
if (document.getElementById("labels")) import("./labels.js").then((labels) => labels.start());
if (document.getElementById("watchlist")) import("./watchlist.js").then((watchlist) => watchlist.start());
if (document.getElementById("ticket")) import("./ticket.js").then((ticket) => ticket.start());
