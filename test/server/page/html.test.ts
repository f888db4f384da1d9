import test from "ava";
import fc from "fast-check";
import { html } from "../../../src/server/page/html.js";

test("no value can end the text or the attribute that it is in", (t) => {
  fc.assert(
    fc.property(fc.string({ unit: "grapheme" }), (value) => {
      const inText = html`<p>${value}</p>`.text.slice(3, -4);
      t.notRegex(inText, /[<>"']/);
      t.notRegex(inText, /&(?!(amp|lt|gt|quot|#39);)/);
      t.is(html`<a title="${value}">`.text.slice(10, -2), inText);
    }),
  );
  t.is(html`${"<script>\"&'"}`.text, "&lt;script&gt;&quot;&amp;&#39;");
});

test("what a value was is seen again, except that what acts or hides is shown by its code", (t) => {
  t.is(html`${"пул «горячий» 📦"}`.text, "пул «горячий» 📦");
  t.is(html`${"a\u202Eb\u0000c\nd"}`.text, "a\\u202eb\\x00c\\x0ad");
});

test("markup within markup stays as it is, and nothing is written for what is not there", (t) => {
  const items = ["a", "<b>"].map((item) => html`<li>${item}</li>`);
  t.is(html`<ul>${items}</ul>`.text, "<ul><li>a</li><li>&lt;b&gt;</li></ul>");
  t.is(html`${undefined}${false}${0}`.text, "0");
});

test("text that only looks like markup is escaped", (t) => {
  // As an object of JSON could be.
  const forged = JSON.parse('{"text": "<b>"}');
  t.notRegex(html`${String(forged)}`.text, /<b>/);
  t.throws(() => html`${forged}`);
});
