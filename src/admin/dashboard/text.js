// text.js - numbers and states in words, and elements. What comes from a peer becomes text and nothing else:
// only textContent and createTextNode ever see it.

function element(tag, className, ...children) {
  const e = document.createElement(tag);
  if (className) e.className = className;
  e.append(...children);
  return e;
}

function byId(id) { return document.getElementById(id); }

function setText(e, text) {
  text = String(text);
  if (e.textContent !== text) e.textContent = text;
}

const GROUPED = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });

function count(n) {
  if (n == null) return "–";
  return n < 1e6 ? GROUPED.format(n) : n < 1e9 ? (n / 1e6).toFixed(2) + " M" : (n / 1e9).toFixed(2) + " G";
}

// A rate: one digit behind the point while it matters.
function rate(n) {
  if (n == null || !isFinite(n)) return "–";
  return n === 0 ? "0" : n < 0.1 ? "<0.1" : n < 10 ? n.toFixed(1) : count(n);
}

function bytes(n) {
  if (n == null || !isFinite(n)) return "–";
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let u = 0;
  while (n >= 1024 && u < units.length - 1) { n /= 1024; u++; }
  return (u === 0 || n >= 100 ? Math.round(n) : n.toFixed(1)) + " " + units[u];
}

function duration(ms) {
  if (ms == null) return "–";
  if (ms < 1000) return Math.round(ms) + " ms";
  if (ms < 10000) return (ms / 1000).toFixed(1) + " s";
  const s = Math.floor(ms / 1000);
  if (s < 60) return s + " s";
  const two = n => String(n).padStart(2, "0");
  if (s < 3600) return Math.floor(s / 60) + "m " + two(s % 60) + "s";
  if (s < 86400) return Math.floor(s / 3600) + "h " + two(Math.floor(s / 60) % 60) + "m";
  return Math.floor(s / 86400) + "d " + two(Math.floor(s / 3600) % 24) + "h";
}

// A time since: what was in this turn was just now.
function ago(ms) { return ms == null ? "never" : ms < 1000 ? "now" : duration(ms); }

function sum(rows, value) { return rows.reduce((n, row) => n + (value(row) || 0), 0); }

function isSet(cause) { return Boolean(cause) && cause !== "none"; }

const CAUSE_SHORT = {
  peer_stream_window: "stream window", peer_connection_window: "connection window", socket: "socket",
  stream_slot: "free stream", memory_budget: "memory budget", rate_limit: "rate limit",
};

// Who blocks a direction, as one would say it. `far` receives it, `near` sends it.
function causeInWords(direction, cause) {
  const far = direction === "sent" ? "server" : "client";
  const near = direction === "sent" ? "client" : "server";
  switch (cause) {
  case "peer_stream_window":
    return `The ${far} has stopped reading this stream: it has used up its stream window.`;
  case "peer_connection_window":
    return `The ${far}'s connection window is used up: it reads none of that connection's streams, or they share too little.`;
  case "socket":
    return `The connection to the ${far} takes no more bytes: its network or its host is slow.`;
  case "stream_slot":
    return `No connection to the ${far} has a free stream: one is being opened, or each carries as many as the ${far} allows.`;
  case "memory_budget":
    return `Weir reads no more from the ${near}: limits.memory is nearly used up.`;
  case "rate_limit":
    return `A rate limit holds the ${near} back.`;
  }
  return `Blocked: ${cause}.`;
}

// [{direction, text, ms}] of a stream that waits; [] of one that moves.
function reasons(stream) {
  const found = [];
  for (const direction of ["received", "sent"])
    if (isSet(stream[direction].stalled))
      found.push({ direction, text: causeInWords(direction, stream[direction].stalled), ms: stream[direction].stalled_ms });
  if (stream.state === "silent") {
    const last = [stream.sent.last_message_ms, stream.received.last_message_ms].filter(ms => ms != null);
    found.push({
      direction: "both", ms: last.length ? Math.min(...last) : stream.age_ms,
      text: last.length ? "No message in either direction, though nothing blocks it."
        : "No message yet in either direction, though nothing blocks it.",
    });
  }
  return found;
}
