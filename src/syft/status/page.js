"use strict";
// Everything that comes from the worker becomes text of the page, never markup: only textContent is set.
const EVERY = 2000, PATIENCE = 5000, WINDOW = 120;
const byId = (id) => document.getElementById(id);
const rates = [];
let before = null, timer = null, shown = {};

const whole = new Intl.NumberFormat("en");
const compact = new Intl.NumberFormat("en", { maximumSignificantDigits: 3, notation: "compact" });
const precise = new Intl.NumberFormat("en", { maximumSignificantDigits: 4 });
const times = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "short" });

function size(bytes) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let at = 0;
  while (bytes >= 1024 && at < units.length - 1) { bytes /= 1024; at += 1; }
  return [at === 0 ? String(bytes) : bytes.toFixed(bytes < 10 ? 2 : bytes < 100 ? 1 : 0), units[at]];
}

function duration(seconds) {
  const s = Math.max(0, Math.floor(seconds));
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${s % 60} s`;
  if (s < 86400) return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
  return `${Math.floor(s / 86400)} d ${Math.floor((s % 86400) / 3600)} h`;
}

const speed = (rate) => (rate < 100 ? precise.format(Number(rate.toPrecision(3))) : rate < 1e5 ? whole.format(Math.round(rate)) : compact.format(rate));
const plural = (count, word) => `${whole.format(count)} ${word}${count === 1 ? "" : "s"}`;

function element(name, text, kind) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  if (kind) made.className = kind;
  return made;
}

function figure(id, [value, unit], note) {
  byId(id).replaceChildren(document.createTextNode(value), ...(unit ? [element("small", unit)] : []));
  byId(`${id}-note`).textContent = note;
}

// --- charts ---------------------------------------------------------------------------------------

function drawn(name, attributes, text) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  return made;
}

function ticks(low, high, count) {
  const rough = (high - low) / count, power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].find((factor) => factor * power >= rough * 0.999) * power;
  const found = [];
  for (let at = Math.ceil(low / step - 1e-9); at * step <= high + step * 1e-9; at += 1) found.push(at * step || 0);  // never -0
  return found;
}

// The stretches of a line that have no gap in them.
function runs(points) {
  const found = [[]];
  for (const point of points) { if (point[1] === null) found.push([]); else found[found.length - 1].push(point); }
  return found.filter((run) => run.length > 1);
}

const path = (run, x, y) => `M${run.map(([a, b]) => `${x(a).toFixed(1)},${y(b).toFixed(1)}`).join("L")}`;

// What a noisy curve does in the long run: at each point the mean of those around it, where there are enough of them.
function runningMean(points) {
  const reach = Math.floor(points.length / 24);
  if (reach < 2) return [];
  return points.map(([x, y], at) => {
    const wide = Math.min(reach, at, points.length - 1 - at);
    const near = points.slice(at - wide, at + wide + 1).filter((point) => point[1] !== null);
    return [x, y === null ? null : near.reduce((total, point) => total + point[1], 0) / near.length];
  });
}

// points: [x, y or null] in the order of x; a null is a gap in the line.
function chart(svg, points, { xLow, xHigh, xLabels, empty, fromZero, mean = [] }) {
  const width = Math.max(200, svg.clientWidth), height = 176, left = 44, right = 10, top = 10, bottom = 24;
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  const there = points.filter(([, y]) => y !== null);
  if (!there.length) {
    svg.replaceChildren(drawn("text", { class: "empty", x: width / 2, y: height / 2, "text-anchor": "middle" }, empty));
    return;
  }
  let low = fromZero ? 0 : Math.min(...there.map(([, y]) => y)), high = Math.max(...there.map(([, y]) => y));
  if (!fromZero && low > 0 && low < 0.5 * high) low = 0;
  if (high <= low) high = low + (Math.abs(low) || 1);
  high += (high - low) * 0.08;
  const span = xHigh - xLow || 1, floor = height - bottom;
  const x = (value) => left + ((value - xLow) / span) * (width - left - right);
  const y = (value) => floor - ((value - low) / (high - low)) * (floor - top);
  const parts = [];
  for (const tick of ticks(low, high, 4)) {
    parts.push(drawn("line", { class: tick === low ? "base" : "grid", x1: left, x2: width - right, y1: y(tick), y2: y(tick) }));
    parts.push(drawn("text", { x: left - 9, y: y(tick) + 4, "text-anchor": "end" }, compact.format(tick)));
  }
  for (const [value, label] of xLabels) {
    const anchor = value === xLow ? "start" : value === xHigh ? "end" : "middle";
    parts.push(drawn("text", { x: x(value), y: height - 6, "text-anchor": anchor }, label));
  }
  for (const run of runs(points)) {
    const line = path(run, x, y);
    parts.push(drawn("path", { class: "area", d: `${line}V${floor}H${x(run[0][0]).toFixed(1)}Z` }));
    parts.push(drawn("path", { class: mean.length ? "line raw" : "line", d: line }));
  }
  for (const run of runs(mean)) parts.push(drawn("path", { class: "line", d: path(run, x, y) }));
  if (mean.length) parts.push(drawn("text", { x: width - right, y: top + 2, "text-anchor": "end" }, "loss and its running mean"));
  const last = there[there.length - 1];
  parts.push(drawn("circle", { class: "tip", cx: x(last[0]), cy: y(last[1]), r: 4.5 }));
  svg.replaceChildren(...parts);
}

function showRate(state) {
  if (before && state.now > before.now && state.started === before.started) {
    rates.push([state.now, (state.ops - before.ops) / (state.now - before.now)]);
  } else if (before && state.started !== before.started) {
    rates.length = 0;
  }
  while (rates.length && rates[0][0] < state.now - WINDOW) rates.shift();
  const newest = rates.length ? rates[rates.length - 1][1] : null;
  const age = Math.min(WINDOW, Math.max(20, rates.length ? state.now - rates[0][0] : 0));
  chart(byId("ops-chart"), rates, {
    xLow: state.now - age, xHigh: state.now, fromZero: true, empty: "measuring",
    xLabels: [[state.now - age, `${Math.round(age)} s ago`], [state.now - age / 2, `${Math.round(age / 2)} s`], [state.now, "now"]],
  });
  byId("ops-reading").replaceChildren(...(newest === null ? [] : [element("b", speed(newest)), document.createTextNode("per second")]));
  return newest;
}

function showTraining(training) {
  const losses = training ? training.losses : [];
  const first = losses.length ? losses[0][0] : 0, last = losses.length ? losses[losses.length - 1][0] : 1;
  const middle = Math.round((first + last) / 2);
  chart(byId("loss-chart"), losses, {
    xLow: first, xHigh: last, fromZero: false, mean: runningMean(losses),
    empty: training ? "no loss yet" : "nothing has been trained here yet",
    xLabels: [[first, `step ${whole.format(first)}`], ...(last - first > 3 ? [[middle, whole.format(middle)]] : []),
      ...(last > first ? [[last, whole.format(last)]] : [])],
  });
  byId("training-name").textContent = training ? `on ${training.dataset}, step ${whole.format(training.step)}` : "";
  const newest = losses.length ? losses[losses.length - 1][1] : undefined;
  byId("loss-reading").replaceChildren(...(newest === undefined ? []
    : [element("b", newest === null ? "not finite" : precise.format(newest)), document.createTextNode("loss")]));
}

// --- tables ---------------------------------------------------------------------------------------

// columns: [heading, class of the cells, row => text or node]
function table(id, rows, columns, nothing) {
  const cells = rows.map((row) => columns.map(([, , cell]) => cell(row)));
  const key = JSON.stringify(cells);
  if (shown[id] === key) return;  // an unchanged table keeps the reader's selection
  shown[id] = key;
  const head = element("thead"), headings = element("tr"), body = element("tbody");
  for (const [heading, kind] of columns) headings.append(element("th", heading, kind.includes("number") ? "number" : ""));
  head.append(headings);
  for (const line of cells) {
    const row = element("tr");
    line.forEach((content, at) => {
      const kind = columns[at][1];
      const cell = element("td", Array.isArray(content) ? undefined : content, kind);
      if (Array.isArray(content)) {
        for (const part of content) {
          const chip = element("span", part, "chip");
          chip.title = part;
          cell.append(chip);
        }
      }
      row.append(cell);
    });
    body.append(row);
  }
  if (!rows.length) {
    const row = element("tr"), cell = element("td", nothing, "nothing");
    cell.colSpan = columns.length;
    row.append(cell);
    body.append(row);
  }
  byId(id).replaceChildren(...(rows.length ? [head, body] : [body]));
}

const cut = (of) => (of.count > of.rows.length ? `the first ${whole.format(of.rows.length)} of ${whole.format(of.count)}` : "");
const together = ([value, unit]) => `${value} ${unit}`;

function showTables(state) {
  const named = (row) => (row.tags.length || row.description ? 0 : 1);
  table("objects", [...state.objects.rows].sort((one, other) => named(one) - named(other)), [
    ["Tags", "tags", (row) => row.tags],
    ["Type", "", (row) => row.kind],
    ["Shape", "", (row) => (row.shape === null ? "–" : row.shape.length ? row.shape.join(" × ") : "scalar")],
    ["Dtype", "", (row) => row.dtype ?? "–"],
    ["Description", "text", (row) => row.description],
    ["Owner", "weak", (row) => row.owner ?? "–"],
    ["Id", "mono weak number", (row) => row.id],
  ], "The worker holds nothing.");
  table("sessions", state.sessions.rows, [
    ["User", "", (row) => row.user ?? "anonymous"],
    ["State", "", (row) => (row.connected ? "connected" : "away")],
    ["Open for", "number", (row) => duration(state.now - row.since)],
    ["Objects", "number", (row) => whole.format(row.objects)],
    ["Stored", "number", (row) => together(size(row.nbytes))],
    ["Waiting", "number", (row) => whole.format(row.pending)],
  ], "Nobody is connected.");
  table("traffic", Object.entries(state.traffic), [
    ["Kind", "", ([kind]) => kind],
    ["In", "number", ([, row]) => whole.format(row.messages_in)],
    ["Bytes in", "number", ([, row]) => together(size(row.bytes_in))],
    ["Out", "number", ([, row]) => whole.format(row.messages_out)],
    ["Bytes out", "number", ([, row]) => together(size(row.bytes_out))],
  ], "No message has come yet.");
  byId("models-card").hidden = !state.models.count;
  table("models", state.models.rows, [
    ["Name", "", (row) => row.id],
    ["Version", "number", (row) => String(row.version)],
    ["Runs for others", "", (row) => (row.allow_remote_inference ? "yes" : "no")],
    ["Given out", "", (row) => (row.allow_download ? "yes" : "no")],
    ["Address", "mono weak text", (row) => (row.allow_remote_inference ? `POST /models/${encodeURIComponent(row.id)}/predict` : "")],
  ], "");
  byId("objects-note").textContent = cut(state.objects);
  byId("sessions-note").textContent = cut(state.sessions);
  byId("models-note").textContent = cut(state.models);
}

function show(state) {
  const traffic = Object.values(state.traffic), sum = (name) => traffic.reduce((total, row) => total + row[name], 0);
  const connected = state.sessions.rows.filter((row) => row.connected).length;
  document.title = `${state.worker} – worker`;
  byId("worker").textContent = state.worker;
  byId("uptime").textContent = `up ${duration(state.now - state.started)}, since ${times.format(state.started * 1000)}`;
  byId("content").hidden = false;
  const rate = showRate(state);
  figure("tile-objects", [whole.format(state.objects.count)], `${together(size(state.stored_bytes))} in sessions`);
  figure("tile-sessions", [whole.format(state.sessions.count)], `${whole.format(connected)} connected`);
  figure("tile-ops", [state.ops < 1e6 ? whole.format(state.ops) : compact.format(state.ops)],
    rate === null ? "since the start" : `${speed(rate)} per second`);
  figure("tile-in", size(sum("bytes_in")), plural(sum("messages_in"), "message"));
  figure("tile-out", size(sum("bytes_out")), plural(sum("messages_out"), "message"));
  showTraining(state.training);
  showTables(state);
  before = state;
}

// --- asking the worker ----------------------------------------------------------------------------

function say(state, text) {
  byId("state").dataset.state = state;
  byId("state-text").textContent = text;
}

function askToken(problem) {
  sessionStorage.removeItem("token");
  byId("content").hidden = true;
  byId("sign-in").hidden = false;
  byId("sign-in-problem").textContent = problem;
  say("waiting", "token needed");
}

async function refresh() {
  clearTimeout(timer);
  const token = sessionStorage.getItem("token");
  const headers = token ? { Authorization: `Bearer ${token}` } : {};
  try {
    const answer = await fetch("/status.json", { headers, cache: "no-store", signal: AbortSignal.timeout(PATIENCE) });
    if (answer.status === 401) {
      askToken(token ? (await answer.json()).error : "");
      return;
    }
    if (!answer.ok) throw new Error(answer.statusText);
    const state = await answer.json();
    show(state);
    if (state.healthy) say("good", "healthy"); else say("bad", "takes no messages");
  } catch (problem) {
    say("bad", before ? "unreachable, figures are old" : "unreachable");
  }
  timer = setTimeout(refresh, document.hidden ? 5 * EVERY : EVERY);
}

byId("sign-in").addEventListener("submit", (event) => {
  event.preventDefault();
  sessionStorage.setItem("token", byId("token").value.trim());
  byId("token").value = "";
  byId("sign-in").hidden = true;
  refresh();
});
document.addEventListener("visibilitychange", () => { if (!document.hidden && byId("sign-in").hidden) refresh(); });
refresh();
