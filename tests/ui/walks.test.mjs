// What humans do, step by step, by keyboard where it can be.

import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { open, real } from "./browser.mjs";

let gate, page;
before(async () => { gate = await open(); });
afterEach(async () => { assert.deepEqual(page.complaints, []); await page.context().close(); });
after(() => gate.close());

test("an ask is approved and another denied by keyboard alone", async () => {
  page = await gate.page();
  await page.goto("/sessions");
  await page.getByRole("heading", { name: "Sessions" }).waitFor();
  await page.keyboard.press("g");
  await page.keyboard.press("a");
  await page.locator(".asks li").first().waitFor();
  for (const [key, word] of [["y", "approve"], ["n", "deny"]]) {
    const before = await page.locator(".asks li").count();
    await page.keyboard.press("j");
    const chosen = await page.locator(".asks li.is-on").getAttribute("id");
    await page.keyboard.press("Enter");
    await page.getByRole("button", { name: /^Approve/ }).waitFor();
    await page.keyboard.press(key);
    const dialog = page.getByRole("dialog");
    await dialog.waitFor();
    await page.shot(`dialog-${word}`);
    assert.deepEqual(await page.serious(), []);
    await page.keyboard.type("looked at it with the customer");
    const [request] = await Promise.all([page.waitForRequest((one) => one.url().endsWith(`/${word}`)), page.keyboard.press("Control+Enter")]);
    assert.deepEqual(request.postDataJSON(), { reason: "looked at it with the customer" });
    assert.ok(request.headers()["x-portcullis-csrf"] || process.env.PORTCULLIS_TOKEN);
    await dialog.waitFor({ state: "detached" });
    await page.getByText("looked at it with the customer").first().waitFor();
    await page.keyboard.press("b");
    await page.locator(".asks li").first().waitFor();
    const still = await page.locator(`#${chosen}`).count();
    assert.equal(await page.locator(".asks li").count(), before - 1 + still);
  }
});

test("the keys are listed, and the dialog gives the focus back", async () => {
  page = await gate.page();
  await page.goto("/asks");
  await page.getByRole("heading", { name: "Approvals" }).waitFor();
  await page.keyboard.press("?");
  await page.getByRole("dialog", { name: "Keys" }).waitFor();
  await page.shot("dialog-keys");
  assert.deepEqual(await page.serious(), []);
  await page.keyboard.press("Escape");
  assert.equal(await page.getByRole("dialog").count(), 0);
});

test("a filter stands in the address, and an address is a filter", async () => {
  page = await gate.page();
  await page.goto("/sessions");
  await page.getByRole("heading", { name: "Sessions" }).waitFor();
  await page.keyboard.press("/");
  await page.keyboard.type("delete from");
  await page.keyboard.press("Enter");
  await page.waitForURL(/q=delete\+from/);
  await page.goto("/sessions?protocol=ssh");
  assert.equal(await page.getByLabel("Protocol").inputValue(), "ssh");
});

if (!real) {
  test("a new ask appears by itself and is announced", async () => {
    page = await gate.page();
    await page.goto("/asks");
    await page.getByText("live", { exact: true }).waitFor();
    const before = await page.locator(".asks li").count();
    await gate.makeAsk();
    await page.locator(".asks li").nth(before).waitFor();
    assert.match(await page.locator("[aria-live=polite]").first().textContent(), /New ask from/);
  });

  test("a queue whose stream fails is polled", async () => {
    await gate.set({ noStreams: true });
    page = await gate.page();
    await page.goto("/asks");
    await page.getByText("every 5 s").waitFor();
    const before = await page.locator(".asks li").count();
    await gate.makeAsk();
    await page.locator(".asks li").nth(before).waitFor({ timeout: 9_000 });
    await gate.set({ noStreams: false });
  });

  test("a stale sign-in leads to signing in again and back, and the reason is kept", async () => {
    await gate.set({ stale: true });
    page = await gate.page();
    await page.goto("/asks/ask0005");
    await page.getByRole("button", { name: /^Deny/ }).waitFor();
    await page.keyboard.press("n");
    await page.keyboard.type("not without a ticket");
    await page.keyboard.press("Control+Enter");
    await page.getByText("too old to answer").waitFor();
    await page.shot("dialog-stale");
    await gate.set({ stale: false });
    await page.getByRole("link", { name: "Sign in again" }).click();
    await page.getByRole("link", { name: "Continue with okta" }).click();
    await page.waitForURL(/\/asks\/ask0005$/);
    await page.getByRole("button", { name: /^Deny/ }).waitFor();
    await page.keyboard.press("n");
    assert.equal(await page.getByRole("textbox").inputValue(), "not without a ticket");
  });

  test("who is not signed in is sent to sign in and comes back", async () => {
    await gate.set({ signedIn: false });
    page = await gate.page();
    await page.goto("/sessions?protocol=ssh");
    await page.waitForURL(/\/sign-in\?return=%2Fsessions%3Fprotocol%3Dssh/);
    await page.getByRole("link", { name: "Continue with okta" }).click();
    await page.waitForURL(/\/sessions\?protocol=ssh$/);
  });

  test("a control plane that fails says what to do", async () => {
    await gate.set({ broken: true });
    page = await gate.page({ width: 360 });
    await page.goto("/asks");
    await page.getByRole("button", { name: "Try again" }).waitFor();
    await page.shot("broken-360");
    await gate.set({ broken: false });
    await page.getByRole("button", { name: "Try again" }).click();
    await page.getByRole("heading", { name: "Approvals" }).waitFor();
  });

  test("a million rows scroll to the end without hanging", async () => {
    page = await gate.page();
    await page.goto("/sessions/million#op=1");
    await page.getByText("1,000,000 rows as the client saw").waitFor({ timeout: 60_000 });
    const grid = page.getByRole("table", { name: "Rows" });
    const took = await grid.evaluate(async (element) => {
      const start = performance.now();
      for (let i = 1; i <= 40; i++) {
        element.scrollTop = element.scrollHeight * i / 40;
        await new Promise((done) => requestAnimationFrame(done));
      }
      return performance.now() - start;
    });
    await page.getByRole("rowheader", { name: "1,000,000", exact: true }).waitFor();
    await page.shot("million-end");
    assert.ok(took < 8_000, `40 jumps took ${took} ms`);
    assert.ok(await page.locator(".long-row").count() < 200);
  });

  test("a running session shows what is added, and can be ended with a reason", async () => {
    page = await gate.page();
    const live = (await (await fetch(`${gate.url}/v1/sessions?state=live&protocol=postgres`)).json()).sessions[0];
    await page.goto(`/sessions/${live.id}`);
    await page.getByText(/6[3-9] events, live/).waitFor();
    await page.shot("session-live");
    await page.keyboard.press("x");
    await page.keyboard.type("left open over night");
    await page.keyboard.press("Control+Enter");
    await page.getByText("left open over night").waitFor();
  });

  test("a terminal plays, and its address names a moment", async () => {
    page = await gate.page();
    await page.goto("/sessions/term/replay#op=2");
    await page.locator(".ap-wrapper").waitFor();
    await page.waitForTimeout(600);
    await page.shot("replay-op");
    await page.locator(".ap-playback-button, .ap-overlay-start").first().click();
    await page.waitForTimeout(1_500);
    await page.shot("replay-playing");
    await page.getByRole("button", { name: "Link to this moment" }).click();
    const t = Number(new URL(page.url()).hash.replace("#t=", ""));
    assert.ok(t > 11, `at ${t} s`);
  });

  test("a running terminal is watched as it prints", async () => {
    page = await gate.page();
    const live = (await (await fetch(`${gate.url}/v1/sessions?state=live&protocol=ssh`)).json()).sessions[0];
    await page.goto(`/sessions/${live.id}/replay`);
    await page.locator(".ap-wrapper").waitFor();
    await page.waitForTimeout(2_000);
    await page.shot("replay-live");
    assert.match(await page.locator(".ap-term-text, .ap-term").first().innerText(), /claim|tail|settled|deploy/);
  });
}
