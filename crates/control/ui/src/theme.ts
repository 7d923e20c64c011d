// Light, dark, or as the system has it; kept in the browser.

import { signal } from "@preact/signals";

export type Theme = "auto" | "light" | "dark";
const KEY = "portcullis-theme";
const stored = localStorage.getItem(KEY);

export const theme = signal<Theme>(stored === "light" || stored === "dark" ? stored : "auto");

export function applyTheme(): void {
  if (theme.value === "auto") delete document.documentElement.dataset["theme"];
  else document.documentElement.dataset["theme"] = theme.value;
}

export function nextTheme(): void {
  theme.value = theme.value === "auto" ? "light" : theme.value === "light" ? "dark" : "auto";
  localStorage.setItem(KEY, theme.value);
  applyTheme();
}
