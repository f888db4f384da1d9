import { printable } from "../../printable.js";

/** Markup that is safe to put into a page: made by {@link html} alone. */
export class Html {
  readonly text: string;

  private constructor(text: string) {
    this.text = text;
  }

  /** Joins parts of the program's own source with values, each of which is escaped unless it is markup. */
  static join(parts: readonly string[], values: readonly HtmlValue[]): Html {
    let text = parts[0] ?? "";
    for (const [i, value] of values.entries()) text += markup(value) + (parts[i + 1] ?? "");
    return new Html(text);
  }
}

/** Nothing is written for undefined and false. */
export type HtmlValue = string | number | Html | undefined | false | readonly Html[];

/**
 * Markup with values. They can be in text or in attributes within double quotes; names of tags and attributes, scripts
 * and styles take no values.
 */
export function html(parts: TemplateStringsArray, ...values: readonly HtmlValue[]): Html {
  return Html.join(parts, values);
}

function markup(value: HtmlValue): string {
  if (value === undefined || value === false) return "";
  if (value instanceof Html) return value.text;
  if (typeof value === "object") return value.map(({ text }) => text).join("");
  return escapeHtml(String(value));
}

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

/** Names and messages can come from anywhere: characters that reorder or hide others are shown by their codes. */
function escapeHtml(text: string): string {
  return printable(text).replace(/[&<>"']/g, (c) => ENTITIES[c] ?? "");
}
