/** Colours have a contrast of at least 4.5 for text and 3 for marks, on every surface, light and dark. */
export const STYLE = `
:root {
  color-scheme: light dark;
  --page: #f4f6f8; --card: #ffffff; --line: #d7dde4; --ink: #18212c; --quiet: #55616f;
  --good: #17703a; --attention: #8a5700; --bad: #b3211b; --busy: #1f5fbf; --mark: #2b5c9e;
  --good-wash: #e6f4ea; --attention-wash: #fdf3dc; --bad-wash: #fdeae8; --unknown-wash: #e9edf2;
  --on: #ffffff;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #10151b; --card: #181f28; --line: #2d3743; --ink: #e6ebf1; --quiet: #9daab9;
    --good: #63c785; --attention: #e6b450; --bad: #ff8f86; --busy: #82b1ff; --mark: #7fb0f2;
    --good-wash: #14281c; --attention-wash: #2d2411; --bad-wash: #341a19; --unknown-wash: #1e2630;
    --on: #10151b;
  }
}
* { box-sizing: border-box; }
html { background: var(--page); }
body {
  margin: 0 auto; padding: 16px 20px 40px; max-width: 1200px; color: var(--ink);
  font: 14px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif;
  font-variant-numeric: tabular-nums;
}
h1, h2, h3, p, ul, ol, dl, dd { margin: 0; padding: 0; }
h1 { font-size: 18px; letter-spacing: -0.01em; }
h2 { font-size: 15px; }
h3 { font-size: 14px; font-weight: 600; }
ul, ol { list-style: none; }
a { color: var(--busy); }
:focus-visible { outline: 2px solid var(--busy); outline-offset: 2px; }
code, .store, .name, tbody th { font-family: ui-monospace, "SF Mono", Menlo, "DejaVu Sans Mono", monospace; font-size: 12.5px; }
.quiet { color: var(--quiet); }
header { display: flex; flex-wrap: wrap; align-items: baseline; gap: 2px 16px; margin-bottom: 12px; }
header > div { flex: 1 1 auto; overflow-wrap: anywhere; }
#live { color: var(--quiet); }
#live[data-state="on"]::before, #live[data-state="off"]::before {
  content: ""; display: inline-block; width: 8px; height: 8px; margin-right: 6px;
  border: 2px solid var(--attention); border-radius: 50%;
}
#live[data-state="on"]::before { border-color: var(--good); background: var(--good); }
main { display: grid; gap: 12px; }
main > div { min-width: 0; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: 14px 16px; }
.top { display: flex; flex-wrap: wrap; justify-content: space-between; align-items: center; gap: 4px 16px; }

.icon { width: 16px; height: 16px; flex: none; fill: currentColor; stroke: none; }
.icon .ink { fill: none; stroke: var(--on); stroke-width: 1.8; stroke-linecap: round; stroke-linejoin: round; }
.icon .line { fill: none; stroke: currentColor; stroke-width: 1.8; stroke-linecap: round; }
.icon .hollow { fill: none; stroke: currentColor; stroke-width: 1.5; stroke-dasharray: 3 2; }
.icon.good, .chip.good { color: var(--good); }
.icon.attention, .chip.attention { color: var(--attention); }
.icon.bad, .chip.bad { color: var(--bad); }
.icon.busy, .chip.busy { color: var(--busy); }
.icon.unknown, .chip.unknown, .icon.quiet, .chip.quiet { color: var(--quiet); }
.chip { display: inline-flex; align-items: center; gap: 6px; font-weight: 600; }
.chip.quiet { font-weight: 400; }
@media (prefers-reduced-motion: no-preference) {
  .icon.busy { animation: turn 1.6s linear infinite; }
  @keyframes turn { to { transform: rotate(1turn); } }
}

.verdict { border: 1px solid var(--line); border-left-width: 5px; border-radius: 8px; padding: 10px 16px; }
.verdict.good { background: var(--good-wash); border-color: var(--good); }
.verdict.attention { background: var(--attention-wash); border-color: var(--attention); }
.verdict.bad { background: var(--bad-wash); border-color: var(--bad); }
.verdict.unknown { background: var(--unknown-wash); border-color: var(--quiet); }
.headline { display: flex; align-items: center; gap: 10px; font-size: 17px; font-weight: 600; }
.headline .icon { width: 20px; height: 20px; }
.verdict ul { margin-top: 6px; display: grid; gap: 4px; }
.verdict li { display: flex; gap: 8px; overflow-wrap: anywhere; }
.verdict li .icon { margin-top: 3px; width: 14px; height: 14px; }
.verdict li span { min-width: 0; }

.sites { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 340px), 1fr)); gap: 12px; }
.site { display: flex; flex-direction: column; min-width: 0; }
.store, .name { color: var(--quiet); overflow-wrap: anywhere; }
.age { margin-top: 8px; }
.age .label { color: var(--quiet); }
.age .label:first-child { display: block; }
.age strong { font-size: 30px; line-height: 1.2; font-weight: 650; letter-spacing: -0.02em; margin-right: 4px; }
.facts { display: grid; grid-template-columns: repeat(auto-fill, minmax(140px, 1fr)); gap: 6px 16px; margin-top: 10px; padding-top: 10px; border-top: 1px solid var(--line); }
.facts dt { color: var(--quiet); font-size: 12.5px; }
.facts dd { font-weight: 600; }
.strip { display: flex; flex-wrap: wrap; align-items: center; gap: 2px 20px; margin-top: 12px; padding-block: 10px; }

.jobs li { display: grid; grid-template-columns: 160px 110px minmax(0, 1fr); gap: 2px 16px; padding: 8px 0; border-top: 1px solid var(--line); }
.jobs li:first-child { border-top: 0; }
.jobs li:last-child { padding-bottom: 0; }
.detail { overflow-wrap: anywhere; }
.detail > p { display: inline; margin-right: 6px; }
.detail > .failed { display: block; }
.failed { color: var(--bad); }
.bar { display: flex; align-items: center; gap: 10px; margin: 2px 0; max-width: 460px; }
.bar span { min-width: 3em; text-align: right; }
progress { appearance: none; flex: 1; width: 100%; height: 8px; border: 1px solid var(--busy); border-radius: 5px; background: var(--card); overflow: hidden; }
progress::-webkit-progress-bar { background: var(--card); }
progress::-webkit-progress-value { background: var(--busy); }
progress::-moz-progress-bar { background: var(--busy); }

.legend { display: flex; flex-wrap: wrap; gap: 0 12px; color: var(--quiet); font-size: 12.5px; }
.legend li { display: flex; align-items: center; gap: 2px; }
.defs { position: absolute; }
.chain { display: grid; grid-template-columns: 210px 72px minmax(0, 1fr); align-items: center; gap: 2px 14px; padding: 6px 8px 6px 0; border-top: 1px solid var(--line); }
.axis { border-top: 0; padding-bottom: 0; color: var(--quiet); font-size: 12px; }
.about .begin { font-weight: 600; }
.about p { overflow-wrap: anywhere; }
.about .quiet { font-size: 12.5px; }
.names { color: var(--quiet); font-size: 12px; text-align: right; }
.names span { display: block; line-height: 20px; }
.lone { display: flex; flex-wrap: wrap; gap: 4px 14px; margin-left: -10px; }
.lone li { display: flex; align-items: center; gap: 4px; font-size: 12.5px; line-height: 20px; }
.lanes { display: block; overflow: visible; }
.lanes text { fill: var(--quiet); font-size: 12px; }
.grid { stroke: var(--line); stroke-width: 1; }
.tie { stroke: var(--mark); stroke-width: 1.5; opacity: 0.55; }
.tie.broken { stroke: var(--attention); stroke-dasharray: 3 4; opacity: 1; }
.loose { fill: var(--card); stroke: var(--attention); stroke-width: 1.6; }
.filled { fill: var(--mark); stroke: var(--card); stroke-width: 1; }
.hollow { fill: var(--card); stroke: var(--mark); stroke-width: 1.4; stroke-dasharray: 2.2 1.6; }
.broken { fill: var(--card); stroke: var(--bad); stroke-width: 1.5; }
.cross { fill: none; stroke: var(--bad); stroke-width: 1.8; stroke-linecap: round; }
.pin { fill: none; stroke: var(--ink); stroke-width: 2.2; }
.absent { fill: none; stroke: var(--quiet); stroke-width: 1.5; }
details { border-top: 1px solid var(--line); padding-top: 8px; margin-top: 4px; }
summary { cursor: pointer; color: var(--quiet); width: fit-content; }
.scroll { overflow: auto; max-height: 420px; margin-top: 8px; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: 3px 14px 3px 0; white-space: nowrap; font-weight: 400; }
thead th { position: sticky; top: 0; background: var(--card); color: var(--quiet); }
.failures li { padding: 8px 0; border-top: 1px solid var(--line); overflow-wrap: anywhere; }
.failures li:first-child { border-top: 0; padding-top: 4px; }
.failures li:last-child { padding-bottom: 0; }

@media (max-width: 700px) {
  body { padding: 12px 12px 32px; }
  .card, .verdict { padding: 12px; }
  .jobs li { grid-template-columns: 1fr auto; }
  .detail { grid-column: 1 / -1; }
  .chain { grid-template-columns: 64px minmax(0, 1fr); gap: 0 10px; }
  .chain .about { grid-column: 1 / -1; }
  .about { display: flex; flex-wrap: wrap; gap: 0 8px; align-items: baseline; }
  .names { text-align: left; }
  .lanes .second { display: none; }
}
@media (forced-colors: active) {
  .icon, .filled, .tie, .grid, .pin, .absent, .cross, .hollow, .broken { forced-color-adjust: none; }
}
`;
