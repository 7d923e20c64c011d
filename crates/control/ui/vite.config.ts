import preact from "@preact/preset-vite";
import { defineConfig } from "vite";

const mock = process.env["MOCK"] ?? "http://127.0.0.1:8099";

export default defineConfig({
  plugins: [preact({ devToolsEnabled: false })],
  build: {
    target: "es2022",
    // Everything is a file of its own: the content security policy allows no data: scripts or styles.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    sourcemap: false,
    license: { fileName: "licenses.md" },
  },
  server: { proxy: { "/v1": mock, "/login": mock, "/logout": mock } },
});
