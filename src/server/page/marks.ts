import { html, type Html } from "./html.js";

/** The marks, drawn around 0,0. A square is a full snapshot, a circle an incremental. */
export const MARKS = html`<svg class="defs" width="0" height="0" aria-hidden="true" focusable="false"><defs>
<g id="m-full-complete"><rect class="filled" x="-5" y="-5" width="10" height="10" rx="1"/></g>
<g id="m-incremental-complete"><circle class="filled" r="3.5"/></g>
<g id="m-full-unfinished"><rect class="hollow" x="-4.5" y="-4.5" width="9" height="9" rx="1"/></g>
<g id="m-incremental-unfinished"><circle class="hollow" r="3.5"/></g>
<g id="m-incremental-unrestorable"><circle class="loose" r="3.5"/></g>
<g id="m-full-damaged"><rect class="broken" x="-6" y="-6" width="12" height="12" rx="1"/><path class="cross" d="m-3.5-3.5 7 7m0-7-7 7"/></g>
<g id="m-incremental-damaged"><circle class="broken" r="6"/><path class="cross" d="m-3-3 6 6m0-6-6 6"/></g>
<g id="m-held"><path class="pin" d="M-5 8.5H5"/></g>
<g id="m-absent"><path class="absent" d="M0-4v8"/></g>
</defs></svg>`;

/** What the marks mean. */
export function legend(): Html {
  const entries = [
    ["m-full-complete", "full"],
    ["m-incremental-complete", "incremental"],
    ["m-incremental-unfinished", "unfinished"],
    ["m-incremental-damaged", "damaged"],
    ["m-incremental-unrestorable", "without its base"],
    ["m-held", "held"],
    ["m-absent", "absent"],
  ] as const;
  return html`<ul class="legend">${entries.map(
    ([id, words]) =>
      html`<li><svg width="18" height="18" aria-hidden="true" focusable="false"><use href="#${id}" x="9" y="${id === "m-held" ? 3 : 9}"/></svg>${words}</li>`,
  )}</ul>`;
}
