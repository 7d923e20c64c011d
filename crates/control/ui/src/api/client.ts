// Asks the control plane and understands its failures. It keeps no data but who is signed in.

import { signal } from "@preact/signals";
import type { ApiFailure, Me } from "./types";

export const me = signal<Me | null>(null);

/** Why a request was not done, as the control plane said it. */
export class Failed extends Error {
  constructor(readonly status: number, readonly code: string, message: string) {
    super(message);
  }
}

async function failure(response: Response): Promise<Failed> {
  try {
    const told = (await response.json()) as Partial<ApiFailure>;
    if (typeof told.message === "string") return new Failed(response.status, told.code ?? "", told.message);
  } catch { /* not of the control plane's making */ }
  return new Failed(response.status, "", `the control plane answered with status ${response.status}`);
}

async function send(path: string, init: RequestInit): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(path, { credentials: "same-origin", cache: "no-store", ...init });
  } catch (why) {
    if (why instanceof DOMException && why.name === "AbortError") throw why;
    throw new Failed(0, "unreachable", "the control plane cannot be reached");
  }
  if (response.ok) return response;
  const failed = await failure(response);
  if (failed.status === 401) me.value = null;
  throw failed;
}

export async function get<T>(path: string, abort?: AbortSignal): Promise<T> {
  const response = await send(path, abort ? { signal: abort } : {});
  return (await response.json()) as T;
}

/** As `get`, with how many characters it was: whoever pages can ask for less the next time. */
export async function getSized<T>(path: string, abort: AbortSignal): Promise<{ value: T; size: number }> {
  const text = await (await send(path, { signal: abort })).text();
  return { value: JSON.parse(text) as T, size: text.length };
}

export async function post<T>(path: string, body?: unknown): Promise<T> {
  const headers: Record<string, string> = {};
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const csrf = me.value?.csrf;
  if (csrf) headers["X-Portcullis-Csrf"] = csrf;
  const init: RequestInit = { method: "POST", headers };
  if (body !== undefined) init.body = JSON.stringify(body);
  const response = await send(path, init);
  return (response.status === 204 ? undefined : await response.json()) as T;
}

export function may(action: string): boolean {
  return me.value?.may.includes(action) ?? false;
}

export const at = (strings: TemplateStringsArray, ...values: (string | number)[]): string =>
  String.raw({ raw: strings }, ...values.map((value) => encodeURIComponent(value)));
