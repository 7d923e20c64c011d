import { render } from "preact";
import { App } from "./app";
import { listen } from "./keys";
import { applyTheme } from "./theme";
import "./style.css";

applyTheme();
listen();
const root = document.getElementById("app");
if (root) render(<App />, root);
