// Every page, in light and dark, wide and narrow: it says what it is for, breaks no policy, is not wider
// than the screen, and axe finds nothing serious.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { open, real } from "./browser.mjs";

let gate;
before(async () => { gate = await open(); });
after(() => gate.close());

const PAGES = [
  ["sign-in", "/sign-in", "Sign in"], ["asks", "/asks", "Approvals"], ["live", "/live", "Live sessions"], ["sessions", "/sessions", "Sessions"],
  ["operations", "/operations", "Operations"], ["policies", "/policies", "Policies"], ["explain", "/policies?view=explain", "Explain"],
  ["validate", "/policies?view=validate", "Validate"], ["replay-policies", "/policies?view=replay", "Replay"],
  ["targets", "/targets", "Targets"], ["audit", "/audit", "Audit"], ["health", "/health", "Health"],
];
const OF_THE_MOCK = [
  ["ask", "/asks/ask0001", "Bound|may answer"], ["ask-hostile", "/asks/ask0002", "would not show"], ["ask-over", "/asks/ask0007", "no ticket named"],
  ["session", "/sessions/long#op=3", "Operation 3"], ["session-list", "/sessions/long", "Timeline"], ["session-events", "/sessions/long?view=events#seq=4", "Event 4"],
  ["rows", "/sessions/million#op=1", "rows as the client saw"], ["replay", "/sessions/term/replay", "Decisions"], ["asks-all", "/asks?show=all", "denied"],
  ["empty", "/sessions?q=nothing", "No session fits"], ["missing", "/asks/none", "there is no ask"],
];

for (const [name, path, says] of real ? PAGES : [...PAGES, ...OF_THE_MOCK]) {
  for (const dark of [false, true]) {
    for (const width of [1280, 360]) {
      test(`${name} is whole in ${dark ? "dark" : "light"} at ${width} px`, async () => {
        const page = await gate.page({ width, dark });
        await page.goto(path);
        await page.getByText(new RegExp(says)).first().waitFor();
        await page.waitForTimeout(400);
        await page.shot(`${name}-${dark ? "dark" : "light"}-${width}`);
        const wide = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
        assert.ok(wide <= 0, `${wide} px wider than the screen`);
        assert.deepEqual(await page.serious(), []);
        assert.deepEqual(page.complaints, []);
        await page.context().close();
      });
    }
  }
}
