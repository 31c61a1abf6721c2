"use strict";

// Draws what `dashboard/data` tells, every two seconds while the page is looked at. All text goes in as text.

const EVERY_MS = 2000;
const HEIGHT = 190;
const MARGIN = { left: 46, right: 10, top: 12, bottom: 24 };
const SVG = "http://www.w3.org/2000/svg";
const byId = (id) => document.getElementById(id);
const state = { data: null, paused: false, busy: false, timer: 0, lost: 0 };

function element(name, options = {}, ...children) {
  const made = document.createElement(name);
  if (options.class) made.className = options.class;
  if (options.scope) made.scope = options.scope;
  made.append(...children);
  return made;
}

function shape(name, attributes, text) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  return made;
}

function shown(value, digits = 3) {
  if (value === null || value === undefined) return "none yet";
  if (Math.abs(value) >= 100) return Math.round(value).toLocaleString("en");
  return String(Number(value.toPrecision(digits)));
}

const percent = (share) => `${shown(100 * share)}%`;
const clock = (seconds) => new Date(seconds * 1000).toLocaleTimeString("en-GB");
const several = (count, noun) => `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;

function picture(id, told, height = HEIGHT) {
  const place = byId(id);
  const width = Math.max(place.clientWidth, 240);
  const svg = shape("svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": told });
  place.replaceChildren(svg);
  return { svg, width, height, left: MARGIN.left, right: width - MARGIN.right, top: MARGIN.top, bottom: height - MARGIN.bottom };
}

function scale(from, to, low, high) {
  return (value) => low + ((value - from) / (to - from || 1)) * (high - low);
}

function roundUp(value) {
  const power = 10 ** Math.floor(Math.log10(value || 1));
  return [1, 2, 5, 10].map((step) => step * power).find((step) => step >= value - 1e-12);
}

function timeAxis(area, data) {
  const end = data.now, start = end - data.window_s;
  const x = scale(start, end, area.left, area.right);
  const step = area.width < 420 ? 300 : 120;
  for (let at = Math.ceil(start / step) * step; at <= end; at += step) {
    area.svg.append(shape("line", { x1: x(at), x2: x(at), y1: area.bottom, y2: area.bottom + 4, class: "axis" }));
    const anchor = x(at) > area.right - 20 ? "end" : "middle";
    area.svg.append(shape("text", { x: x(at), y: area.bottom + 17, "text-anchor": anchor }, clock(at).slice(0, 5)));
  }
  area.svg.append(shape("line", { x1: area.left, x2: area.right, y1: area.bottom, y2: area.bottom, class: "axis" }));
  return x;
}

function level(area, y, value, text) {
  area.svg.append(shape("line", { x1: area.left, x2: area.right, y1: y(value), y2: y(value), class: "gridline" }));
  area.svg.append(shape("text", { x: area.left - 6, y: y(value) + 4, "text-anchor": "end" }, text));
}

// A line where another release begins to answer. While traffic shifts both do by turns, so it has to last.
function releases(area, x, data) {
  let before = data.buckets.length ? data.buckets[0].version : "";
  data.buckets.forEach((each, place) => {
    const next = data.buckets[place + 1] || each;
    if (each.version === before || next.version !== each.version) return;
    before = each.version;
    const at = Math.max(area.left, x(each.t));
    area.svg.append(shape("line", { x1: at, x2: at, y1: area.top, y2: area.bottom, class: "release" }));
    const right = at < area.width / 2;
    area.svg.append(shape("text", { x: at + (right ? 5 : -5), y: area.top + 10, "text-anchor": right ? "start" : "end" }, `release ${each.version.slice(0, 8)}`));
  });
}

function drawRate(data) {
  const rates = data.buckets.map((each) => each.requests / data.bucket_s);
  const top = roundUp(Math.max(0.2, ...rates));
  const told = data.total.requests
    ? `Requests a second over ten minutes: at most ${shown(Math.max(...rates))}, ${shown(rates.at(-1))} in the latest five seconds with any`
    : "No requests in the last ten minutes";
  const area = picture("rate", told);
  const y = scale(0, top, area.bottom, area.top);
  for (const part of [0, 0.5, 1]) level(area, y, part * top, shown(part * top));
  const x = timeAxis(area, data);
  const wide = Math.max(1.5, x(data.bucket_s) - x(0) - 0.5);
  for (const each of data.buckets) {
    let floor = 0;
    const answered = each.requests - each.refused - each.failed;
    for (const [kind, count] of [["answered", answered], ["refused", each.refused], ["failed", each.failed]]) {
      if (!count) continue;
      const rate = count / data.bucket_s;
      const left = Math.max(area.left, x(each.t));
      area.svg.append(shape("rect", { x: left, y: y(floor + rate), width: wide, height: Math.max(1, y(floor) - y(floor + rate)), class: kind }));
      floor += rate;
    }
  }
  releases(area, x, data);
}

function drawLatency(data) {
  const values = data.buckets.flatMap((each) => [each.p50, each.p90, each.p99]).filter((each) => each !== null);
  const total = data.total;
  const told = values.length
    ? `Milliseconds over ten minutes: half under ${shown(total.p50)}, nine in ten under ${shown(total.p90)}, 99 in 100 under ${shown(total.p99)}; the objective is ${shown(data.objective_ms)}`
    : "No requests in the last ten minutes";
  const area = picture("latency", told);
  const low = Math.floor(Math.log10(Math.min(1, data.objective_ms, ...values)));
  const high = Math.ceil(Math.log10(Math.max(data.objective_ms * 1.5, ...values)));
  const place = scale(low, high, area.bottom, area.top);
  const y = (value) => place(Math.log10(value));
  for (let power = low; power <= high; power += 1) level(area, y, 10 ** power, (10 ** power).toLocaleString("en", { maximumSignificantDigits: 1 }));
  const x = timeAxis(area, data);
  for (const name of ["p99", "p90", "p50"]) {
    let path = "", before = 0;
    for (const each of data.buckets) {
      const at = Math.max(area.left, x(each.t + data.bucket_s / 2));
      const gap = each.t - before > 6 * data.bucket_s;
      path += `${path && !gap ? "L" : "M"}${at.toFixed(1)} ${y(each[name]).toFixed(1)}`;
      if (gap) path += `L${(at + 1.5).toFixed(1)} ${y(each[name]).toFixed(1)}`;
      before = each.t;
    }
    if (path) area.svg.append(shape("path", { d: path, class: name }));
  }
  const limit = y(data.objective_ms);
  area.svg.append(shape("line", { x1: area.left, x2: area.right, y1: limit, y2: limit, class: "objective" }));
  area.svg.append(shape("text", { x: area.right, y: limit - 5, "text-anchor": "end", class: "limit" }, `objective ${shown(data.objective_ms)} ms`));
  for (const each of data.buckets.filter((one) => one.cold)) {
    const at = Math.max(area.left, x(each.t + data.bucket_s / 2));
    area.svg.append(shape("polygon", { points: `${at - 5},${area.bottom} ${at + 5},${area.bottom} ${at},${area.bottom - 9}`, class: "cold" }));
  }
}

function drawBars(id, rows, told) {
  if (!rows.length) return byId(id).replaceChildren();
  const step = 30;
  const area = picture(id, told, rows.length * step + 4);
  const total = rows.reduce((sum, [, count]) => sum + count, 0);
  const most = Math.max(...rows.map(([, count]) => count));
  const longest = Math.max(...rows.map(([name]) => name.length));
  const left = Math.min(longest * 8 + 12, area.width * 0.42), right = area.width - 118;
  rows.forEach(([name, count], place) => {
    const y = place * step, fits = Math.floor((left - 10) / 7.5);
    const text = name.length > fits ? `${name.slice(0, fits - 1)}…` : name;
    area.svg.append(shape("text", { x: left - 8, y: y + 19, "text-anchor": "end", class: "label" }, text));
    area.svg.append(shape("rect", { x: left, y: y + 6, width: Math.max(1.5, ((right - left) * count) / most), height: 18, class: "bar" }));
    const at = left + Math.max(1.5, ((right - left) * count) / most) + 6;
    area.svg.append(shape("text", { x: at, y: y + 19 }, `${count.toLocaleString("en")} (${percent(count / total)})`));
  });
}

function drawHistogram(id, found, told) {
  if (!found) return byId(id).replaceChildren();
  const area = picture(id, told, 130);
  const most = Math.max(...found.counts);
  const y = scale(0, most, area.bottom, area.top);
  level(area, y, most, shown(most));
  level(area, y, 0, "0");
  const wide = (area.right - area.left) / found.counts.length;
  found.counts.forEach((count, place) => {
    if (!count) return;
    const height = Math.max(1, y(0) - y(count));
    area.svg.append(shape("rect", { x: area.left + place * wide + 1, y: y(0) - height, width: wide - 2, height, class: "bar" }));
  });
  for (const part of [0, 0.5, 1]) {
    const anchor = part === 0 ? "start" : part === 1 ? "end" : "middle";
    const value = found.low + part * (found.high - found.low);
    area.svg.append(shape("text", { x: area.left + part * (area.right - area.left), y: area.bottom + 17, "text-anchor": anchor }, shown(value)));
  }
}

function drawOutputs(data) {
  const found = data.outputs;
  byId("outputs-why").textContent = found.rows ? `The latest ${several(found.rows, "prediction")}.` : "No predictions yet.";
  if (found.numbers) drawHistogram("classes", found.numbers, `Predicted numbers from ${shown(found.numbers.low)} to ${shown(found.numbers.high)}`);
  else drawBars("classes", found.classes, `Predictions by class: ${found.classes.map(([name, count]) => `${name} ${count}`).join(", ")}`);
  byId("scores-title").hidden = !found.scores;
  byId("scores-title").textContent = found.classes.length > 2 ? "Largest score" : "Score";
  drawHistogram("scores", found.scores, found.scores ? `Scores from ${shown(found.scores.low)} to ${shown(found.scores.high)} in twenty bins` : "");
}

function fill(id, caption, heads, rows) {
  if (!rows.length) return byId(id).replaceChildren();
  const head = element("tr", {}, ...heads.map(([text, kind]) => element("th", { scope: "col", class: kind }, text)));
  const body = rows.map((row) => element("tr", {}, ...row.map((cell, place) => element("td", { class: heads[place][1] }, cell))));
  byId(id).replaceChildren(element("caption", {}, caption), element("thead", {}, head), element("tbody", {}, ...body));
}

function fillTables(data) {
  const latest = data.buckets.slice(-12).reverse();
  fill("rate-table", "The latest five-second intervals with requests", [["Time", ""], ["Requests", "number"], ["Refused", "number"], ["Failed", "number"], ["Predictions", "number"]],
    latest.map((each) => [clock(each.t), String(each.requests), String(each.refused), String(each.failed), each.predictions.toLocaleString("en")]));
  fill("latency-table", "Milliseconds in the latest five-second intervals with requests", [["Time", ""], ["Half under", "number"], ["9 in 10 under", "number"], ["99 in 100 under", "number"], ["Cold starts", "number"]],
    latest.map((each) => [clock(each.t), shown(each.p50), shown(each.p90), shown(each.p99), String(each.cold)]));
  fill("refused", "The latest first", [["Time", ""], ["Status", "number"], ["Reason", "reason"]],
    data.refusals.map(([time, status, reason]) => [clock(time), String(status), reason]));
  byId("refused-why").textContent = data.refusals.length ? "" : "Every request so far got predictions.";
  const level = (name) => element("span", { class: name === "high" ? "bad" : name === "warn" ? "warn" : "" }, name);
  byId("drift-why").textContent = data.drift.why;
  fillEstimate(data.drift.estimated);
  fill("drift", "By the size of the effect", [["Column", "name"], ["Effect", "number"], ["Level", ""]],
    data.drift.columns.map(([name, effect, told]) => [name, effect === null ? "none" : effect.toFixed(3), level(told)]));
}

function fillEstimate(found) {
  byId("estimated").hidden = !found;
  if (!found) return;
  const then = found.baseline === null ? "" : `; it was ${found.baseline.toFixed(3)} when the baseline was made`;
  byId("estimated").textContent = `Estimated ${found.name}, without labels: ${found.value.toFixed(3)} (95%: ${found.low.toFixed(3)} to ${found.high.toFixed(3)})${then}.`;
}

function fillTiles(data) {
  const total = data.total;
  const minute = data.buckets.filter((each) => each.t > data.now - 60).reduce((sum, each) => sum + each.requests, 0);
  const failed = total.requests ? total.failed / total.requests : 0;
  const slow = total.p90 !== null && total.p90 > data.objective_ms;
  const tiles = [
    ["Requests", total.requests.toLocaleString("en"), `${shown(minute / 60)} a second in the last minute`, ""],
    ["Failed (5xx)", total.failed.toLocaleString("en"), `${percent(failed)}; objective ${percent(1 - data.availability)}`, failed > 1 - data.availability ? "bad" : ""],
    ["Refused (4xx)", total.refused.toLocaleString("en"), total.requests ? percent(total.refused / total.requests) : "no requests", ""],
    ["Nine in ten under", total.p90 === null ? "none yet" : `${shown(total.p90)} ms`, `half under ${shown(total.p50)}, 99 in 100 under ${shown(total.p99)}`, slow ? "bad" : ""],
    ["Cold starts", total.cold.toLocaleString("en"), "first request of a process", ""],
    ["Predictions", total.predictions.toLocaleString("en"), total.requests ? `${shown(total.predictions / Math.max(1, total.requests))} a request` : "no requests", ""],
  ];
  byId("tiles").replaceChildren(...tiles.map(([name, value, more, kind]) =>
    element("div", {}, element("dt", {}, name), element("dd", { class: kind }, value, element("small", {}, more)))));
}

function fillAlarms(data) {
  byId("alarms").hidden = data.alarms === null;
  if (data.alarms === null) return;
  const sounding = data.alarms.filter((each) => each.state === "ALARM");
  byId("alarms-why").textContent = sounding.length ? `${several(sounding.length, "alarm")} of ${data.alarms.length} ${sounding.length === 1 ? "sounds" : "sound"}.` : `None of ${several(data.alarms.length, "alarm")} sounds.`;
  byId("alarms-why").className = sounding.length ? "bad" : "good";
  byId("alarm-list").replaceChildren(...sounding.map((each) => element("li", {}, `${each.name}, since ${clock(each.since)}: ${each.reason}`)));
  byId("silent-list").replaceChildren(...data.alarms.filter((each) => each.state !== "ALARM").map((each) => element("li", {}, `${each.name}: ${each.state}`)));
}

function fillStack(data) {
  byId("besides").hidden = !data.stack.length;
  byId("stack").replaceChildren(...data.stack.map(([name, told]) => element("div", {}, element("dt", {}, name), element("dd", {}, told))));
}

function draw() {
  const data = state.data;
  if (!data) return;
  document.title = `${data.name}: Lightship dashboard`;
  byId("name").textContent = data.name;
  const version = data.version ? `Release ${data.version}. ` : "";
  byId("about").textContent = `${version}Since ${clock(data.since)}, from the function's own telemetry.`;
  fillAlarms(data);
  fillStack(data);
  fillTiles(data);
  drawRate(data);
  drawLatency(data);
  drawOutputs(data);
  fillTables(data);
}

function say(text, kind) {
  // A screen reader is told of changes only.
  if (byId("status").textContent !== text) byId("status").textContent = text;
  byId("status").className = kind;
}

async function refresh() {
  try {
    const answer = await fetch("dashboard/data", { cache: "no-store" });
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    state.data = await answer.json();
    state.lost = 0;
    draw();
    say("Live", "good");
  } catch (error) {
    state.lost += 1;
    say(state.lost > 1 ? "No answer: has it ended?" : "No answer yet", "bad");
  }
}

function again() {
  clearTimeout(state.timer);
  if (state.paused || document.hidden || state.busy) return;
  state.busy = true;
  refresh().finally(() => {
    state.busy = false;
    const wait = EVERY_MS * Math.min(state.lost + 1, 5);
    if (!state.paused && !document.hidden) state.timer = setTimeout(again, wait);
  });
}

byId("pause").addEventListener("click", () => {
  state.paused = !state.paused;
  byId("pause").setAttribute("aria-pressed", String(state.paused));
  byId("pause").textContent = state.paused ? "Go on" : "Pause";
  if (state.paused) say("Paused", "soft");
  again();
});
document.addEventListener("visibilitychange", again);
let drawn = 0;
addEventListener("resize", () => {
  cancelAnimationFrame(drawn);
  drawn = requestAnimationFrame(draw);
});
again();
