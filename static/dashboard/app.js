// What every page loads. Parts that only some pages need are imported where their element is.

import { wireActions } from "./actions.js";
import { startClock } from "./clock.js";
import { startLive } from "./live.js";
import { wireTables } from "./tables.js";
import { wireTheme } from "./theme.js";
import { wireZone } from "./zone.js";

document.documentElement.classList.add("scripted");
wireTheme();
wireZone();
wireActions();
wireTables();
startClock();
startLive();

if (document.getElementById("charts")) import("./charts.js").then((charts) => charts.start());
if (document.getElementById("ticket")) import("./ticket.js").then((ticket) => ticket.start());
