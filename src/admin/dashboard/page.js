// page.js - the event stream, the head of the page and its controls.

const SERVER_WORDS = /^(listener|route|cluster|service|method|state|id)=(.+)$/;
const totals = new History();
let source = null, latest = null, snapshot = null /* on display */, uptimeAtSnapshot = 0, snapshotAt = 0, lostAt = 0, attempts = 0, retryAt = 0;
let paused = false, ended = false, wanted = "";

// ---- what is drawn ----

function drawHealth(h) {
  setText(byId("version"), h.version);
  setText(byId("generation"), h.generation ?? "–");
  setText(byId("workers"), snapshot.routes.workers ?? "–");
  const pill = byId("health");
  const [text, tone] = h.draining ? ["draining", "warn"] : !h.live ? [h.why || "not alive", "bad"] : h.ready ? ["ready", "good"] : [h.why || "not ready", "warn"];
  setText(pill, text);
  pill.className = "pill " + tone;
}

function drawTotals(s, at) {
  const routes = s.routes.routes;
  totals.add(at, {
    sent: sum(routes, r => r.sent.messages), received: sum(routes, r => r.received.messages),
    sentBytes: sum(routes, r => r.sent.bytes), receivedBytes: sum(routes, r => r.received.bytes),
  });
  const stalled = sum(routes, r => r.hung.stalled), silent = sum(routes, r => r.hung.silent);
  setText(byId("t-active"), count(sum(routes, r => r.active)));
  setText(byId("t-started"), count(sum(routes, r => r.started)) + " begun");
  for (const direction of ["sent", "received"]) {
    setText(byId("t-" + direction), rate(totals.now(direction)));
    setText(byId(`t-${direction}-bytes`), bytes(totals.now(direction + "Bytes")) + "/s");
    drawSpark(byId("c-" + direction), totals, direction, `All routes, ${direction}`, 40);
  }
  setText(byId("t-stalled"), count(stalled));
  setText(byId("t-silent"), count(silent));
  byId("tile-hung").classList.toggle("alarm", stalled > 0);
  const sides = { downstream: 0, upstream: 0 };
  for (const c of s.connections.connections) sides[c.side]++;
  setText(byId("t-connections"), count(s.connections.total));
  setText(byId("t-sides"), s.connections.total > s.connections.shown ? "of both sides" : `${count(sides.downstream)} client, ${count(sides.upstream)} server`);
}

function drawCount(id, list, rows, noun) {
  const all = list.total ?? rows.length;
  setText(byId(id), rows.length < all ? `${count(rows.length)} of ${count(all)}` : count(all));
}

// Words with a known key are the server's; the rest must occur in what a row says.
function words() {
  const all = byId("filter").value.trim().split(/\s+/).filter(Boolean);
  return { server: all.filter(w => SERVER_WORDS.test(w)), local: all.filter(w => !SERVER_WORDS.test(w)).map(w => w.toLowerCase()) };
}

function matches(s, local) {
  if (!local.length) return true;
  const text = [s.id, streamName(s), s.path, s.route, s.listener, s.cluster, s.client, s.endpoint, s.authority, s.state].join(" ").toLowerCase();
  return local.every(w => text.includes(w));
}

function drawTables(s) {
  const { local } = words();
  const streams = s.streams.streams.filter(x => matches(x, local));
  const hung = s.stalled.streams.filter(x => reasons(x).length);
  routesTable.update(s.routes.routes);
  hungTable.update(hung);
  streamsTable.update(streams);
  connectionsTable.update(s.connections.connections);
  const endpoints = s.clusters.clusters.flatMap(c => c.endpoints.map(e => ({ cluster: c.name, waiting_calls: c.waiting_calls, ...e })));
  clustersTable.update(endpoints);
  drawCount("n-routes", s.routes, s.routes.routes);
  setText(byId("n-hung"), hung.length ? count(hung.length) : "");
  drawCount("n-streams", s.streams, streams);
  drawCount("n-connections", s.connections, s.connections.connections);
  setText(byId("n-clusters"), count(s.clusters.clusters.length));
}

// Rates go on while nothing is drawn: a page that comes to the front again shows what it missed.
function remember(s, at) {
  routeHistories.update(s.routes.routes, routeKey, at, r => ({
    sent: r.sent.messages, received: r.received.messages, bytes: r.sent.bytes + r.received.bytes }));
  streamHistories.update(s.streams.streams, x => x.id, at, x => ({ sent: x.sent.messages, received: x.received.messages }));
}

function draw() {
  if (!snapshot || document.hidden) return;
  drawHealth(snapshot.health);
  drawTotals(snapshot, snapshot.health.uptime_ms);
  drawTables(snapshot);
  drawNotice();
  document.title = (snapshot.health.ready ? "" : "! ") + "Weir: " + byId("t-active").textContent + " streams";
}

function drawNotice() {
  const missing = snapshot ? snapshot.routes.missing_workers || [] : [];
  let text = "";
  if (ended) text = "Weir has ended in order. This page waits for it to come back.";
  else if (lostAt) text = "Weir does not answer. What you see is what it said last.";
  else if (snapshot?.health.draining) text = "Weir is draining: it takes no new work, and ends when its streams have ended.";
  else if (missing.length) text = `Worker ${missing.join(", ")} did not answer in time: its streams and connections are missing below.`;
  const notice = byId("notice");
  notice.hidden = text === "";
  setText(notice, text);
}

function drawLink() {
  const now = performance.now();
  const link = byId("link");
  let state = "live", text = "live";
  if (lostAt) {
    state = "lost";
    text = retryAt > now ? `no answer, again in ${Math.ceil((retryAt - now) / 1000)} s` : "no answer, trying";
  } else if (!snapshot) {
    state = "wait";
    text = "connecting";
  } else if (paused) {
    state = "wait";
    text = "paused";
  }
  link.className = "link " + state;
  setText(byId("link-text"), text);
  document.documentElement.classList.toggle("stale", Boolean(lostAt));
  if (snapshot && !document.hidden) setText(byId("uptime"), duration(uptimeAtSnapshot + (lostAt ? 0 : now - snapshotAt)));
}

// ---- the event stream ----

const NOTHING = { total: 0, shown: 0, missing_workers: [], routes: [], streams: [], connections: [], clusters: [] };

function query() {
  const q = new URLSearchParams({ interval: byId("interval").value, sort: byId("sort").value, limit: "100" });
  for (const w of words().server) {
    const [, name, value] = SERVER_WORDS.exec(w);
    q.set(name, value);
  }
  return q.toString();
}

function onSnapshot(event) {
  const s = JSON.parse(event.data);
  for (const view of ["routes", "streams", "stalled", "connections", "clusters"])
    s[view] ??= latest?.[view] ?? NOTHING; // it did not come this time
  const at = s.health.uptime_ms;
  if (at < uptimeAtSnapshot) { // another process answers
    routeHistories.clear();
    streamHistories.clear();
    totals.points = [];
    totals.last = null;
  }
  attempts = lostAt = retryAt = 0;
  ended = false;
  uptimeAtSnapshot = at;
  snapshotAt = performance.now();
  remember(s, at);
  latest = s;
  if (!paused) snapshot = s;
  draw();
  drawLink();
}

function lost() {
  if (source) source.close();
  source = null;
  lostAt = lostAt || performance.now();
  retryAt = performance.now() + Math.min(500 * 2 ** attempts++, 10000);
  drawNotice();
  drawLink();
}

function connect() {
  if (source) source.close();
  wanted = query();
  source = new EventSource("/events?" + wanted);
  source.addEventListener("snapshot", onSnapshot);
  source.addEventListener("end", () => { ended = true; lost(); });
  source.addEventListener("error", lost);
  retryAt = 0;
}

// Every quarter of a second: the age of things, and whether it is time to try again.
function tick() {
  if (!source && performance.now() >= retryAt) connect();
  drawLink();
}

// ---- controls ----

function changed() { if (query() !== wanted) connect(); }

let settling = 0;
byId("filter").addEventListener("input", () => {
  draw();
  clearTimeout(settling);
  settling = setTimeout(changed, 350);
});
byId("sort").addEventListener("change", changed);
byId("interval").addEventListener("change", changed);
byId("pause").addEventListener("click", () => {
  paused = !paused;
  byId("pause").setAttribute("aria-pressed", String(paused));
  setText(byId("pause"), paused ? "Go on" : "Pause");
  snapshot = latest;
  draw();
  drawLink();
});
document.addEventListener("visibilitychange", draw);
document.addEventListener("keydown", e => {
  if (e.key !== "/" || e.ctrlKey || e.metaKey || e.altKey || /^(INPUT|SELECT|TEXTAREA)$/.test(e.target.tagName)) return;
  e.preventDefault();
  byId("filter").focus();
});

const THEMES = ["system", "light", "dark"];
const prefersDark = matchMedia("(prefers-color-scheme: dark)");
function storedTheme() {
  try { return localStorage.getItem("weir-theme") || "system"; } catch { return "system"; }
}
function applyTheme(theme) {
  const dark = theme === "dark" || (theme === "system" && prefersDark.matches);
  document.documentElement.dataset.theme = dark ? "dark" : "light";
  setText(byId("theme"), { system: "◐", light: "☀", dark: "☾" }[theme]);
  const label = "Colours: " + (theme === "system" ? "as the system" : theme);
  byId("theme").setAttribute("aria-label", label);
  byId("theme").title = label;
}
byId("theme").addEventListener("click", () => {
  const next = THEMES[(THEMES.indexOf(storedTheme()) + 1) % THEMES.length];
  try { localStorage.setItem("weir-theme", next); } catch { /* then it lasts as long as the page */ }
  applyTheme(next);
});
prefersDark.addEventListener("change", () => applyTheme(storedTheme()));

applyTheme(storedTheme());
connect();
setInterval(tick, 250);
