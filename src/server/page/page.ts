import { createHash } from "node:crypto";
import type { ServerStatus } from "../status.js";
import { html, Html } from "./html.js";
import { SCRIPT } from "./script.js";
import { renderBody, titleText } from "./sections.js";
import { STYLE } from "./style.js";

/** The page loads nothing; its own script and style are known by their hashes. */
export const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  `script-src '${hashOf(SCRIPT)}'`,
  `style-src '${hashOf(STYLE)}'`,
  "connect-src 'self'",
  "img-src data:",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

function hashOf(text: string): string {
  return `sha256-${createHash("sha256").update(text).digest("base64")}`;
}

/** A stack of three discs. */
const ICON =
  "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E%3Cg fill='none' stroke='%233a6ec0' stroke-width='1.6'%3E%3Cellipse cx='8' cy='3.5' rx='6' ry='2.3'/%3E%3Cpath d='M2 3.5v9c0 1.3 2.7 2.3 6 2.3s6-1 6-2.3v-9M2 8c0 1.3 2.7 2.3 6 2.3s6-1 6-2.3'/%3E%3C/g%3E%3C/svg%3E";

/** Script and style as they are: their elements know no entities. */
const HEAD = Html.join(
  [
    `<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<link rel="icon" href="${ICON}">
<style>${STYLE}</style>`,
  ],
  [],
);
const FOOT = Html.join([`<script>${SCRIPT}</script>`], []);

/** The whole page. It says everything without its script, which keeps it up to date. */
export function renderPage(status: ServerStatus): string {
  return html`<!doctype html>
<html lang="en">
<head>
${HEAD}
<title>${titleText(status)}</title>
</head>
<body>
${renderBody(status)}
${FOOT}
</body>
</html>
`.text;
}
