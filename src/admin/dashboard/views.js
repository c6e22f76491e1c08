// views.js - the five tables: what a row says, and what its details add.

const STATE_TONE = { open: "", stalled: "bad", silent: "warn" };

const routeKey = r => [r.listener, r.route, r.cluster].join("\n");
const routeHistories = new Histories();
const streamHistories = new Histories();

function failed(route) {
  const by = route.completed_by_status || {};
  return sum(Object.keys(by), status => status === "OK" || status === "0" ? 0 : by[status]);
}

function counts(by, unit) {
  return Object.entries(by || {}).filter(([, n]) => n > 0).sort((a, b) => b[1] - a[1])
    .map(([name, n]) => `${name.replaceAll("_", " ")}: ${unit(n)}`).join(", ");
}

const seconds = n => duration(n * 1000);

function sparkColumn(direction, title) {
  return {
    title, className: "r spark-cell", width: "15%",
    draw(td, r) {
      if (!td.firstChild) td.append(makeSpark(direction));
      drawSpark(td.firstChild, routeHistories.of(routeKey(r)), direction, `${r.route}, ${direction}`, 26);
    },
  };
}

function rateColumn(name, title) {
  return {
    title, className: "r num", width: "6.2rem", sort: r => routeHistories.of(routeKey(r))?.now(name),
    text: r => rate(routeHistories.of(routeKey(r))?.now(name)),
  };
}

const routesTable = new Table(byId("routes"), [
  { title: "Route", sort: r => r.route, text: r => r.route },
  { title: "Listener", className: "w2", width: "9%", sort: r => r.listener, text: r => r.listener },
  { title: "Cluster", className: "w2", width: "9%", sort: r => r.cluster, text: r => r.cluster || "–" },
  { title: "Open", className: "r", width: "4.4rem", sort: r => r.active, text: r => count(r.active) },
  rateColumn("sent", "Sent/s"),
  { ...sparkColumn("sent", ""), className: "spark-cell w3" },
  rateColumn("received", "Received/s"),
  { ...sparkColumn("received", ""), className: "spark-cell w3" },
  { title: "Bytes/s", className: "r w1", width: "6.4rem",
    sort: r => routeHistories.of(routeKey(r))?.now("bytes"), text: r => bytes(routeHistories.of(routeKey(r))?.now("bytes")) },
  { title: "Not OK", help: "Calls that ended otherwise than OK, of all that ended", className: "r w1", width: "6.5rem", sort: failed,
    draw(td, r) {
      const all = sum(Object.values(r.completed_by_status || {}), n => n);
      drawPair(td, count(failed(r)), "of " + count(all));
    } },
  { title: "Waiting", className: "r", width: "6.2rem", sort: r => r.hung.stalled + r.hung.silent,
    draw(td, r) {
      const { stalled, silent } = r.hung;
      drawTag(td, stalled ? `${count(stalled)} stalled` : silent ? `${count(silent)} silent` : "", stalled ? "bad" : "warn");
    } },
], {
  key: routeKey,
  empty: "No call has come yet.",
  details: r => [
    ["Listener", r.listener], ["Cluster", r.cluster], ["Calls begun", count(r.started)],
    ["Messages sent", count(r.sent.messages)], ["Messages received", count(r.received.messages)],
    ["Bytes sent", bytes(r.sent.bytes)], ["Bytes received", bytes(r.received.bytes)],
    ["Ended", counts(r.completed_by_status, count) || "none"],
    ...stalledSeconds(r.stalled_seconds),
  ],
});

// {cause: seconds}, or {sent: {cause: seconds}, received: {...}}.
function stalledSeconds(by) {
  return [["sent", "Time blocked, client to server"], ["received", "Time blocked, server to client"]]
    .map(([direction, title]) => [title, counts(by?.[direction], seconds)]);
}

function streamName(s) { return s.service ? `${s.service}/${s.method}` : `${s.method} ${s.path}`.trim(); }
function lastMessage(s) {
  const last = [s.sent.last_message_ms, s.received.last_message_ms].filter(ms => ms != null);
  return last.length ? Math.min(...last) : null;
}
function longestWait(s) { return Math.max(-1, ...reasons(s).map(r => r.ms || 0)); }

function windows(end) {
  if (!end || end.stream == null) return "";
  return `stream ${end.stream} of connection ${end.connection}, may send ${bytes(end.send_window)} ` +
    `(connection: ${bytes(end.connection_send_window)}), may receive ${bytes(end.receive_window)}`;
}

function direction(d) {
  const parts = [`${count(d.messages)} messages`, bytes(d.bytes), `last ${d.last_message_ms == null ? "never" : ago(d.last_message_ms) + (d.last_message_ms < 1000 ? "" : " ago")}`];
  if (d.queued_bytes) parts.push(`${bytes(d.queued_bytes)} wait in Weir`);
  return parts.join(", ");
}

function streamDetails(s) {
  return [
    ["Stream", s.id], ["State", s.state], ["Protocol", s.protocol], ["Path", s.path], ["Authority", s.authority], ["Listener", s.listener], ["Route", s.route],
    ["Cluster", s.cluster], ["Client", s.client], ["Endpoint", s.endpoint || "none yet"], ["Open for", duration(s.age_ms)],
    ["Sent", direction(s.sent)], ["Received", direction(s.received)],
    ["Towards the client", windows(s.downstream)], ["Towards the server", windows(s.upstream)],
    ...reasons(s).map(r => [`Waits (${r.direction}), for ${duration(r.ms)}`, r.text]),
    ["Time blocked, sent", counts(s.sent.stalled_seconds, seconds)],
    ["Time blocked, received", counts(s.received.stalled_seconds, seconds)],
    ["Status", [s.http_status && `HTTP ${s.http_status}`, s.grpc_status != null && s.grpc_status !== -1 && `grpc-status ${s.grpc_status}`]
      .filter(Boolean).join(", ")],
  ];
}

const streamRate = (s, name) => streamHistories.of(s.id)?.now(name) ?? null;

function directionColumn(name, title) {
  return {
    title, className: "r stream-count", width: "8.6rem", sort: s => s[name].messages,
    draw(td, s) { drawPair(td, count(s[name].messages), rate(streamRate(s, name)) + "/s"); },
  };
}

const streamsTable = new Table(byId("streams"), [
  { title: "Method", sort: streamName, text: streamName },
  { title: "Route", className: "w2", width: "9%", sort: s => s.route, text: s => s.route },
  { title: "Client", className: "w1", width: "9.8rem", sort: s => s.client, text: s => s.client },
  { title: "Endpoint", className: "w1", width: "9.8rem", sort: s => s.endpoint, text: s => s.endpoint || "–" },
  { title: "Open for", className: "r w3", width: "5.4rem", sort: s => s.age_ms, text: s => duration(s.age_ms) },
  directionColumn("sent", "Sent"), directionColumn("received", "Received"),
  { title: "Last", help: "Since the last message, either way", className: "r w2", width: "5rem", sort: lastMessage, text: s => ago(lastMessage(s)) },
  { title: "State", width: "10.8rem", sort: longestWait,
    draw(td, s) {
      const waits = ["received", "sent"].find(d => isSet(s[d].stalled));
      const why = waits ? CAUSE_SHORT[s[waits].stalled] || s[waits].stalled : s.state;
      drawTag(td, why, s.state === "open" && waits ? "warn" : STATE_TONE[s.state] ?? "");
    } },
], { key: s => s.id, empty: "No stream is open, or none that the filter lets through.", details: streamDetails });

const hungTable = new Table(byId("hung"), [
  { title: "Stream", width: "22%", text: streamName },
  { title: "State", width: "5.6rem", draw(td, s) { drawTag(td, s.state === "open" ? "blocked" : s.state, STATE_TONE[s.state] || "warn"); } },
  { title: "For", className: "r", width: "5.2rem", text: s => duration(longestWait(s)) },
  { title: "Why", className: "why", text: s => reasons(s).map(r => r.text).join(" ") },
  { title: "Client", className: "w1", width: "9.8rem", text: s => s.client },
  { title: "Endpoint", className: "w1", width: "9.8rem", text: s => s.endpoint || "–" },
], { key: s => s.id, empty: "Every stream moves.", details: streamDetails });

// What a connection waits for, in words.
const WAITS = {
  connect: "the connection to be made", preface: "the client's HTTP/2 preface", peer: "bytes from the peer", idle: "a stream to be opened",
  socket: "the socket to take more bytes", peer_connection_window: "the peer to open the connection's window", turn: "its next turn: it has used up its share of this one",
};
const roundTrip = c => c.ping_ms ?? c.tcp_rtt_ms;
const milliseconds = ms => ms == null ? "–" : ms < 10 ? ms.toFixed(2) + " ms" : duration(ms);

const connectionsTable = new Table(byId("connections"), [
  { title: "Peer", sort: c => c.peer, text: c => c.peer },
  { title: "Side", help: "Who is at the other end, and the name of the listener or the cluster", className: "w3", width: "8rem", sort: c => c.side,
    draw(td, c) { drawPair(td, c.side === "downstream" ? "client" : "server", c.name); } },
  { title: "Age", className: "r", width: "5rem", sort: c => c.age_ms, text: c => duration(c.age_ms) },
  { title: "Streams", help: "Open now, and ever: how often the connection was used again", className: "r", width: "6rem", sort: c => c.streams_total,
    draw(td, c) { drawPair(td, count(c.streams), "of " + count(c.streams_total)); } },
  { title: "Idle", className: "r w3", width: "4.4rem", sort: c => c.idle_ms, text: c => ago(c.idle_ms) },
  { title: "RTT", help: "Round trip: of the last PING, or as TCP has measured it", className: "r w3", width: "4.6rem", sort: roundTrip,
    text: c => milliseconds(roundTrip(c)) },
  { title: "In", className: "r w2", width: "5rem", sort: c => c.bytes_in, text: c => bytes(c.bytes_in) },
  { title: "Out", className: "r w2", width: "5rem", sort: c => c.bytes_out, text: c => bytes(c.bytes_out) },
  { title: "State", width: "6.4rem",
    draw(td, c) { drawTag(td, CAUSE_SHORT[c.waits] || c.state, CAUSE_SHORT[c.waits] ? "warn" : ""); } },
], {
  key: c => c.id, empty: "No connection is open.",
  details: c => [["Connection", c.id], ["Side", c.side], ["Name", c.name], ["Peer", c.peer], ["Weir's end", c.local], ["Protocol", c.protocol], ["Descriptor", c.fd],
    ["Open for", duration(c.age_ms)], ["Streams now", count(c.streams)], ["Streams ever", count(c.streams_total)], ["Idle for", ago(c.idle_ms)],
    ["Bytes in", bytes(c.bytes_in)], ["Bytes out", bytes(c.bytes_out)], ["Not yet written", bytes(c.unwritten_bytes)],
    ["Not yet sent by the kernel", bytes(c.socket_unsent_bytes)], ["Round trip, TCP", milliseconds(c.tcp_rtt_ms)], ["Round trip, last PING", milliseconds(c.ping_ms)],
    ["Waits for", WAITS[c.waits] || c.waits], ["State", c.state]],
});

const clustersTable = new Table(byId("clusters"), [
  { title: "Endpoint", sort: e => e.address, text: e => e.address },
  { title: "Cluster", className: "w3", width: "15%", sort: e => e.cluster, text: e => e.cluster },
  { title: "State", width: "5.6rem", sort: e => e.state, draw(td, e) { drawTag(td, e.state, endpointTone(e)); } },
  { title: "Conns", help: "Connections now", className: "r w3", width: "4rem", sort: e => e.connections, text: e => count(e.connections) },
  { title: "Streams", className: "r", width: "4.6rem", sort: e => e.streams, text: e => count(e.streams) },
  { title: "Calls", className: "r", width: "4.4rem", sort: e => e.calls_total, text: e => count(e.calls_total) },
  { title: "Failed", className: "r w3", width: "4rem", sort: e => e.failures_total, text: e => count(e.failures_total) },
], {
  key: e => e.cluster + "\n" + e.address, empty: "No cluster is configured.",
  details: e => [["Cluster", e.cluster], ["State", e.state], ["Connections", count(e.connections)], ["Being made", count(e.connecting)],
    ["Calls of this cluster that wait for a stream", count(e.waiting_calls)], ["Failures", count(e.failures_total)],
    ["Last error", e.last_error || "none"], ["Tries again in", e.retry_in_ms ? duration(e.retry_in_ms) : ""]],
});

function endpointTone(e) {
  return { up: "good", connecting: "warn", backoff: "bad", down: "bad" }[e.state] ?? "";
}
