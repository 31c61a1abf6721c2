"""The report's style sheet: light, dark and print."""

CSS = """
:root{color-scheme:light dark;--bg:#fbfbf9;--card:#fff;--ink:#1d2329;--soft:#5b6670;--line:#dfe3e6;--then:#b3bcc4;
--now:#1f6fb2;--guess:#b5651d;--ok:#2c7d4f;--warn:#b26a00;--high:#c0322b;--quiet:#e9ecee;--on:#fff}
@media(prefers-color-scheme:dark){:root{--bg:#14181c;--card:#1c2227;--ink:#e6eaed;--soft:#9aa6b0;--line:#323b43;
--then:#5d6973;--now:#5aa9e6;--guess:#e0975a;--ok:#5cb885;--warn:#e0a03c;--high:#ee6a60;--quiet:#2a3238;--on:#14181c}}
*{box-sizing:border-box}html{-webkit-text-size-adjust:100%}
body{margin:0;background:var(--bg);color:var(--ink);font:16px/1.5 system-ui,-apple-system,"Segoe UI",sans-serif}
main{max-width:1120px;margin:0 auto;padding:24px 16px 64px}
h1{font-size:1.7rem;line-height:1.2;margin:0 0 4px}h2{font-size:1.2rem;margin:40px 0 8px}h3{font-size:1rem;margin:0}
p{margin:4px 0 10px;max-width:75ch}.soft,small{color:var(--soft)}
.card{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:16px;margin:12px 0;min-width:0}
.verdict{border-left:6px solid var(--ok)}.verdict.warn{border-left-color:var(--warn)}
.verdict.high{border-left-color:var(--high)}.verdict h2{margin:0 0 8px}.verdict ul{margin:0;padding-left:20px}
.verdict li{margin:6px 0;overflow-wrap:anywhere}
.grid{display:grid;gap:12px;grid-template-columns:repeat(auto-fill,minmax(min(100%,330px),1fr));align-items:start}
.grid .card{margin:0}
.facts{display:grid;gap:8px;grid-template-columns:repeat(auto-fill,minmax(140px,1fr));margin:16px 0}
.facts div{border-top:2px solid var(--line);padding-top:6px}.facts b{display:block;font-size:1.25rem;line-height:1.3}
.head{display:flex;gap:8px;justify-content:space-between;align-items:baseline;flex-wrap:wrap}
.head h3{overflow-wrap:anywhere;min-width:0}
.badge{font-size:.8rem;font-weight:600;border-radius:99px;padding:1px 10px;background:var(--quiet);white-space:nowrap}
.badge.warn{background:var(--warn);color:var(--on)}.badge.high{background:var(--high);color:var(--on)}
svg{display:block;width:100%;overflow:visible}.bars{margin:8px 0}.strip{margin-top:10px}.columns{margin-top:6px}
.mark{stroke:var(--soft);stroke-width:1}.plot{position:relative;margin:18px 0 4px;border-bottom:1px solid var(--line)}
.plot span{position:absolute;left:0;font-size:.8rem;color:var(--soft)}.plot .top{top:-18px}.plot .bottom{bottom:2px}
polyline{fill:none;stroke-width:2;vector-effect:non-scaling-stroke}.band{opacity:.18;stroke:none}
.real{stroke:var(--now);fill:none}.real.band,.real.dot{fill:var(--now)}.guess{stroke:var(--guess);fill:none}
polyline.guess{stroke-dasharray:6 4}.guess.band,.guess.dot{fill:var(--guess)}.dot{stroke:none}
.level{stroke:var(--soft);stroke-width:1;vector-effect:non-scaling-stroke;stroke-dasharray:2 3;fill:none}
.then{fill:var(--then)}.now{fill:var(--now)}.n,.v{font-size:12px;fill:var(--ink)}.v{fill:var(--soft)}
.strip .none{fill:var(--ok);opacity:.55}.strip .warn{fill:var(--warn)}.strip .high{fill:var(--high)}
.strip .insufficient{fill:var(--quiet)}
.axis{display:flex;justify-content:space-between;font-size:.8rem;color:var(--soft)}
.key{display:flex;gap:4px 16px;flex-wrap:wrap;font-size:.85rem;color:var(--soft);margin:4px 0}
.key i{display:inline-block;width:14px;height:10px;margin-right:6px;border-radius:2px}
.scroll{overflow-x:auto}table{border-collapse:collapse;width:100%;font-size:.92rem}
th,td{text-align:left;padding:5px 12px 5px 0;border-bottom:1px solid var(--line);vertical-align:top}
td.num{font-variant-numeric:tabular-nums;white-space:nowrap}
@media print{:root{--bg:#fff;--card:#fff;--ink:#000;--soft:#444;--line:#ccc;--then:#bbb;--now:#1f6fb2;--guess:#b5651d;
--ok:#2c7d4f;--warn:#b26a00;--high:#c0322b;--quiet:#eee;--on:#fff}
*{-webkit-print-color-adjust:exact;print-color-adjust:exact}.card{break-inside:avoid}main{max-width:none;padding:0}
body{font-size:11pt}h2{break-after:avoid}}
"""
