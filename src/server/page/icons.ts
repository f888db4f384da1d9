import { html, type Html } from "./html.js";

/** How something is. Each level has a shape and words of its own: colour alone says nothing. */
export type Level = "good" | "attention" | "bad" | "unknown" | "busy" | "quiet";

const SHAPES: Readonly<Record<Level, Html>> = {
  // A tick in a circle.
  good: html`<circle cx="8" cy="8" r="7"/><path class="ink" d="M4.5 8.3 7 10.8 11.6 5.6"/>`,
  // An exclamation mark in a triangle.
  attention: html`<path d="M8 1 15.5 14.5H.5Z"/><path class="ink" d="M8 5.8v4.4M8 12.2v.4"/>`,
  // A cross in an octagon.
  bad: html`<path d="M5 1h6l4 4v6l-4 4H5l-4-4V5Z"/><path class="ink" d="m5.3 5.3 5.4 5.4m0-5.4-5.4 5.4"/>`,
  // A question mark in a dashed circle.
  unknown: html`<circle class="hollow" cx="8" cy="8" r="6.5"/><path class="line" d="M6 6.3c.1-2.6 4-2.3 4 0C10 7.8 8 8 8 9.4M8 11.6v.4"/>`,
  // Three quarters of a ring.
  busy: html`<path class="line" d="M8 1.8A6.2 6.2 0 1 1 1.8 8"/>`,
  // A dot.
  quiet: html`<circle cx="8" cy="8" r="3"/>`,
};

/** The shape; the words must be beside it. */
export function icon(level: Level): Html {
  return html`<svg class="icon ${level}" viewBox="0 0 16 16" aria-hidden="true" focusable="false">${SHAPES[level]}</svg>`;
}

/** A shape with its words. */
export function chip(level: Level, words: string): Html {
  return html`<span class="chip ${level}">${icon(level)}${words}</span>`;
}
