/** Keeps the page up to date. Sections are markup of the server, whose values are escaped. */
export const SCRIPT = `"use strict";
(() => {
  const RETRY_MS = 15000;
  const live = document.getElementById("live");
  const say = (words, state) => {
    if (live.textContent !== words) live.textContent = words;
    live.dataset.state = state;
  };

  /** What the reader has opened, scrolled or focused stays so. */
  const replace = (section, markup) => {
    const open = [...section.querySelectorAll("details[open]")].map(({ id }) => id);
    const places = [...section.querySelectorAll(".scroll")].map((box) => [box.scrollLeft, box.scrollTop]);
    const focused = section.contains(document.activeElement) ? document.activeElement : undefined;
    const kind = focused && focused.tagName + (focused.className ? "." + focused.className : "");
    const at = focused && [...section.querySelectorAll(kind)].indexOf(focused);
    section.innerHTML = markup;
    for (const id of open) {
      const details = document.getElementById(id);
      if (details) details.open = true;
    }
    section.querySelectorAll(".scroll").forEach((box, i) => {
      [box.scrollLeft, box.scrollTop] = places[i] || [0, 0];
    });
    if (focused) section.querySelectorAll(kind)[at]?.focus({ preventScroll: true });
  };

  const connect = () => {
    const source = new EventSource("events");
    source.addEventListener("open", () => say("Live", "on"));
    source.addEventListener("section", ({ data }) => {
      const { id, html } = JSON.parse(data);
      if (id === "title") document.title = html;
      else {
        const section = document.getElementById("s-" + id);
        if (section) replace(section, html);
      }
    });
    source.addEventListener("error", () => {
      say("No connection: the values are old", "off");
      if (source.readyState === EventSource.CLOSED) setTimeout(connect, RETRY_MS);
    });
  };
  say("Connecting", "off");
  connect();
})();
`;
