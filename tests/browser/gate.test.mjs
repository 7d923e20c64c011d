// A gate that works, in a browser: people sign in at the issuer, answer a real psql, watch it, end it, search
// what was done and replay a terminal. Steps build on one another.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { after, afterEach, before, test } from "node:test";
import { open } from "../ui/browser.mjs";

const { GATE_PSQL, GATE_PORT, GATE_AUTHORITY, GATE_SSH_PORT, GATE_SSH_KNOWN, GATE_TOKEN } = process.env;

let gate, page;
before(async () => { gate = await open(); page = await gate.page(); });
afterEach(async (context) => {
  await page.shot(`end-of-${context.name.replaceAll(/[^a-z]+/g, "-")}`);
  assert.deepEqual(page.complaints, []);
});
after(async () => {
  for (const child of children) child.kill();
  await gate.close();
});

const children = new Set();

/** A client, with what it said so far and a promise of its end. */
function client(program, args, env) {
  const child = spawn(program, args, { env: { ...process.env, ...env } });
  children.add(child);
  const said = { out: "", err: "" };
  child.stdout.on("data", (text) => { said.out += text; });
  child.stderr.on("data", (text) => { said.err += text; });
  const ended = new Promise((done) => child.on("close", (code) => { children.delete(child); done({ code, ...said }); }));
  return { said, ended, type: (text) => child.stdin.write(`${text}\n`), close: () => child.stdin.end() };
}

const psql = (...statements) => client(
  GATE_PSQL, ["-X", "-q", ...(statements.length ? statements.flatMap((one) => ["-c", one]) : ["-f", "-"])],
  { PGHOST: "localhost", PGPORT: GATE_PORT, PGUSER: "vendor", PGDATABASE: "shop", PGPASSWORD: GATE_TOKEN, PGSSLMODE: "verify-full", PGSSLROOTCERT: GATE_AUTHORITY, PGAPPNAME: "psql" },
);

/** What a look finds at last. */
async function until(look) {
  for (let tries = 0; tries < 100; tries++) {
    const found = await look();
    if (found) return found;
    await new Promise((done) => setTimeout(done, 100));
  }
  throw new Error("nothing was found");
}

/** Logs in at the issuer's own pages and comes back. */
async function signIn(name, to = page) {
  await to.getByRole("link", { name: "Continue with okta" }).click();
  await to.getByPlaceholder("Enter any login").fill(name);
  await to.getByPlaceholder("and password").fill("whatever");
  await to.getByRole("button", { name: "Sign-in" }).click();
  await to.getByRole("button", { name: "Continue" }).click();
}

const answer = async (key, reason) => {
  await page.keyboard.press(key);
  await page.getByRole("dialog").waitFor();
  await page.keyboard.type(reason);
  await page.keyboard.press("Control+Enter");
};

test("somebody signs in at their identity provider and comes back to where they were going", async () => {
  await page.goto("/asks");
  await page.waitForURL(/\/sign-in\?return=%2Fasks/);
  assert.deepEqual(await page.serious(), []);
  await signIn("dana");
  await page.waitForURL(/\/asks$/);
  await page.getByRole("heading", { name: "Approvals" }).waitFor();
  const cookies = await page.context().cookies(gate.url);
  const own = cookies.find(({ name }) => name === "__Host-portcullis");
  assert.deepEqual([own.httpOnly, own.secure, own.sameSite, own.path], [true, true, "Strict", "/"]);
  assert.equal(cookies.filter(({ name }) => name.startsWith("__Host-portcullis-")).length, 0);
  assert.equal(await page.evaluate(() => document.cookie), "");
  assert.equal(await page.evaluate(() => JSON.stringify(Object.entries({ ...localStorage, ...sessionStorage })).includes("eyJ")), false);
});

test("an ask of a real psql appears by itself and is approved by keyboard", async () => {
  const held = psql("DELETE FROM orders WHERE id = 4", "\\echo gone: :ROW_COUNT");
  await page.locator(".asks li").first().waitFor();
  await page.shot("gate-asks");
  await page.keyboard.press("j");
  await page.keyboard.press("Enter");
  await page.getByText("DELETE FROM orders WHERE id = 4").first().waitFor();
  await page.shot("gate-ask");
  assert.deepEqual(await page.serious(), []);
  await answer("y", "looked at it with the order desk");
  const ended = await held.ended;
  assert.equal(ended.code, 0, ended.err);
  assert.match(ended.out, /gone: 1/);
  assert.match(ended.err, /\/asks\/[0-9a-z]{12}/);
});

test("another is denied with a reason that psql shows", async () => {
  const held = psql("DELETE FROM orders WHERE id = 5");
  await page.goto("/asks");
  await page.locator(".asks li").first().waitFor();
  await page.keyboard.press("j");
  await page.keyboard.press("Enter");
  await page.getByRole("button", { name: /^Deny/ }).waitFor();
  await answer("n", "not during the sale");
  const ended = await held.ended;
  assert.notEqual(ended.code, 0);
  assert.match(ended.err, /dana@example.com: not during the sale/);
});

test("a running psql is found, its statements appear as it runs them, and it is ended with a reason", async () => {
  const running = psql();
  running.type("SELECT id AS first_look FROM orders ORDER BY id LIMIT 2;");
  const id = await until(async () => (await (await page.request.get("/v1/sessions?state=live&q=first_look")).json()).sessions[0]?.id);
  await page.goto("/live");
  const row = page.locator(`main a[href^='/sessions/${id}']`).first();
  await row.waitFor();
  await page.shot("gate-live");
  await row.click();
  await page.getByText("first_look").first().waitFor();
  running.type("DROP TABLE orders;");
  await page.getByText("DROP TABLE orders").first().waitFor();
  running.type("SELECT count(*) AS second_look FROM orders;");
  await page.getByText("second_look").first().waitFor();
  await page.getByText("DROP TABLE orders").first().click();
  await page.getByText("never-drop").first().waitFor();
  await page.shot("gate-session");
  assert.deepEqual(await page.serious(), []);
  await answer("x", "left open over night");
  await page.locator(".head").getByText("ended", { exact: true }).waitFor();
  running.type("SELECT 1;");
  running.close();
  const ended = await running.ended;
  assert.match(ended.err, /tables stay/);
  assert.match(ended.err, /revoked/);
});

test("what was done is found again by its words", async () => {
  await page.goto("/sessions?q=first_look");
  await page.locator("main a[href^='/sessions/']").first().waitFor();
  assert.equal(await page.locator("main tbody tr, main .sessions li").count(), 1);
  await page.goto("/operations?q=DROP&decision=deny");
  await page.getByText("DROP TABLE orders").first().waitFor();
  await page.shot("gate-operations");
  await page.goto("/audit");
  await page.getByText("left open over night").first().waitFor();
  await page.getByText("control:sign-in").first().waitFor();
  await page.shot("gate-audit");
  assert.deepEqual(await page.serious(), []);
});

test("a real shell is replayed as its user saw it", async () => {
  const shell = client("sshpass", ["-e", "ssh", "-tt", "-F", "none", "-o", `UserKnownHostsFile=${GATE_SSH_KNOWN}`, "-o", "StrictHostKeyChecking=yes", "-o", "PubkeyAuthentication=no", "-p", GATE_SSH_PORT, "root@localhost"], { SSHPASS: GATE_TOKEN, TERM: "xterm" });
  shell.type("PS1='$ '");
  shell.type("echo replayed-$((40 + 2))");
  shell.type("exit");
  const ended = await shell.ended;
  assert.match(ended.out, /replayed-42/, ended.err);
  await until(async () => (await (await page.request.get("/v1/sessions?state=ended&protocol=ssh")).json()).sessions[0]);
  await page.goto("/sessions?protocol=ssh");
  await page.locator("main a[href^='/sessions/']").first().click();
  await page.getByRole("link", { name: /terminal|replay/i }).first().click();
  await page.locator(".ap-wrapper").waitFor();
  await page.locator(".ap-playback-button, .ap-overlay-start").first().click();
  await page.waitForFunction(() => document.querySelector(".ap-term")?.textContent?.includes("replayed-42"), null, { timeout: 20_000 });
  await page.shot("gate-replay");
  assert.deepEqual(await page.serious(), []);
});

test("policies are read, explained and tried, and targets and parts are well", async () => {
  await page.goto("/policies");
  await page.getByRole("heading", { name: "never-drop" }).waitFor();
  await page.getByText("@reason(tables stay)").waitFor();
  await page.shot("gate-policies");
  await page.goto("/policies?view=explain");
  for (const [name, text] of Object.entries({ subject: "vendor", issuer: "https://id.example.com", target: "shop", action: "sql:drop", resource: "shop public orders" })) {
    await page.locator(`form input[name=${name}]`).fill(text);
  }
  await page.getByRole("button", { name: "Explain" }).click();
  await page.locator(".verdict").getByText("tables stay").waitFor();
  await page.goto("/policies?view=replay");
  await page.locator("form textarea").first().fill('@id("anything") permit (principal, action, resource);');
  await page.getByRole("button", { name: "Replay", exact: true }).click();
  await page.getByText("DROP TABLE orders").first().waitFor();
  await page.getByText(/would be decided otherwise/).waitFor();
  await page.shot("gate-policies-replay");
  assert.deepEqual(await page.serious(), []);
  await page.goto("/targets");
  for (const target of ["shop", "host"]) {
    await page.getByRole("row", { name: new RegExp(`^${target}`) }).getByText("up", { exact: true }).waitFor();
  }
  await page.shot("gate-targets");
  assert.deepEqual(await page.serious(), []);
  await page.goto("/health");
  await page.getByText("issuer okta").waitFor();
  assert.equal(await page.locator(".parts").getByText("failed").count(), 0);
  await page.shot("gate-health");
  assert.deepEqual(await page.serious(), []);
});

test("who signs out is out, and whom nothing is permitted sees nothing", async () => {
  await page.goto("/asks");
  await page.locator("details.me summary").click();
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.waitForURL(/\/sign-in/);
  assert.equal((await page.request.get("/v1/me")).status(), 401);
  const other = await gate.page();
  await other.goto("/sessions");
  await signIn("vera", other);
  await other.waitForURL(/\/sessions$/);
  await other.getByText("control:sessions:read").first().waitFor();
  assert.equal(await other.getByRole("link", { name: "Sessions" }).count(), 0);
  assert.deepEqual(other.complaints, []);
  await other.context().close();
});
