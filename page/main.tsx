import { render } from "preact";
import type { PageContent } from "../src/report/report-data.js";
import { App } from "./app.js";
import "./styles.css";

const text = document.getElementById("content")!.textContent!;
render(<App content={JSON.parse(text) as PageContent} />, document.getElementById("app")!);
