// A browser, and a control plane to look at: the mock, or the one that PORTCULLIS_UI_URL names, with
// the token in PORTCULLIS_TOKEN. Everything that a page says against itself is kept: violations of the
// content security policy, errors of scripts, and what axe finds.

import { mkdirSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";

const UI = new URL("../../crates/control/ui/", import.meta.url);
const require = createRequire(new URL("package.json", UI));
const { chromium } = require("playwright-core");
const AXE = require.resolve("axe-core/axe.min.js");
const SHOTS = process.env.PORTCULLIS_UI_SHOTS;

export const real = process.env.PORTCULLIS_UI_URL;

export async function open() {
  const mock = real ? null : await (await import(new URL("mock/server.mjs", UI))).start(0);
  const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--headless", "--no-sandbox", "--disable-gpu"] });
  const url = real ?? mock.url;
  return {
    url,
    set: (patch) => fetch(`${url}/mock/set`, { method: "POST", body: JSON.stringify(patch) }),
    makeAsk: () => fetch(`${url}/mock/ask`, { method: "POST" }),
    page: (options) => page(browser, url, options),
    close: async () => { await browser.close(); mock?.close(); },
  };
}

async function page(browser, url, { width = 1280, dark = false } = {}) {
  const token = process.env.PORTCULLIS_TOKEN;
  const context = await browser.newContext({
    baseURL: url, viewport: { width, height: 800 }, colorScheme: dark ? "dark" : "light", reducedMotion: "reduce", ignoreHTTPSErrors: true,
    ...(token ? { extraHTTPHeaders: { authorization: `Bearer ${token}` } } : {}),
  });
  context.setDefaultTimeout(15_000);
  const made = await context.newPage();
  const complaints = [];
  made.on("pageerror", (why) => complaints.push(`error: ${why.message}`));
  made.on("dialog", (dialog) => { complaints.push(`a script of a stranger ran: ${dialog.message()}`); void dialog.dismiss(); });
  made.on("console", (message) => {
    if (/Content Security Policy|Refused to/.test(message.text())) complaints.push(message.text());
  });
  return Object.assign(made, {
    complaints,
    shot: async (name) => {
      if (!SHOTS) return;
      mkdirSync(SHOTS, { recursive: true });
      await made.screenshot({ path: `${SHOTS}/${name}.png` });
    },
    serious: () => serious(context, made),
  });
}

/** What axe finds serious. It is put in by the debugger, which the page's policy does not concern. */
async function serious(context, made) {
  const { readFileSync } = await import("node:fs");
  const session = await context.newCDPSession(made);
  await session.send("Runtime.evaluate", { expression: readFileSync(AXE, "utf8") });
  const { result } = await session.send("Runtime.evaluate", {
    expression: "axe.run(document, { resultTypes: ['violations'] }).then(r => JSON.stringify(r.violations.filter(v => ['serious', 'critical'].includes(v.impact)).map(v => v.id + ': ' + v.nodes.slice(0, 3).map(n => n.html.slice(0, 160) + ' ' + (n.any[0]?.message ?? '')).join(' | '))))",
    awaitPromise: true, returnByValue: true,
  });
  return JSON.parse(result.value);
}

export const here = fileURLToPath(new URL(".", import.meta.url));
