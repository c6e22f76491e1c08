// history.js - counters become rates, and rates become sparklines of the last two minutes.

const HISTORY_MS = 120000;
const SPARK_LEAST_MS = 30000; // a line is as wide as half a minute, or as the history that there is

// The rates of some counters, by name, one point a snapshot. Time is Weir's own, in milliseconds since its start.
class History {
  constructor() { this.points = []; this.last = null; }

  add(at, counters) {
    const last = this.last;
    this.last = { at, counters };
    if (!last || at <= last.at) return;
    const point = { at };
    for (const name in counters) {
      const grown = counters[name] - last.counters[name];
      point[name] = grown >= 0 ? grown * 1000 / (at - last.at) : 0;
    }
    this.points.push(point);
    let old = 0;
    while (this.points[old].at < at - HISTORY_MS) old++;
    this.points.splice(0, old);
  }

  now(name) {
    const p = this.points[this.points.length - 1];
    return p ? p[name] : null;
  }

  max(name) { return this.points.reduce((m, p) => Math.max(m, p[name]), 0); }
}

// Histories by key; those that a snapshot no longer names are forgotten with it.
class Histories {
  constructor() { this.byKey = new Map(); }

  update(rows, key, at, counters) {
    const present = new Map();
    for (const row of rows) {
      const k = key(row);
      const h = this.byKey.get(k) || new History();
      h.add(at, counters(row));
      present.set(k, h);
    }
    this.byKey = present;
  }

  of(key) { return this.byKey.get(key); }
  clear() { this.byKey.clear(); }
}

// Draws into an <svg viewBox="0 0 120 HEIGHT"> with an .area and a .line.
function drawSpark(svg, history, name, label, height) {
  const points = history ? history.points : [];
  let line = "";
  if (points.length > 1) {
    const end = points[points.length - 1].at;
    const span = Math.min(Math.max(end - points[0].at, SPARK_LEAST_MS), HISTORY_MS);
    const top = Math.max(history.max(name) * 1.12, 1e-9);
    line = points.map(p => ((span - (end - p.at)) / span * 120).toFixed(2) + " " +
      (height - 1 - p[name] / top * (height - 3)).toFixed(2)).join("L");
    const first = line.slice(0, line.indexOf(" "));
    svg.querySelector(".area").setAttribute("d", `M${first} ${height}L${line}L120 ${height}Z`);
    svg.querySelector(".line").setAttribute("d", "M" + line);
  } else {
    svg.querySelector(".area").removeAttribute("d");
    svg.querySelector(".line").removeAttribute("d");
  }
  svg.setAttribute("aria-label",
    points.length ? `${label}: ${rate(history.now(name))} a second, at most ${rate(history.max(name))}` : `${label}: nothing yet`);
}

function makeSpark(direction) {
  const ns = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(ns, "svg");
  svg.setAttribute("class", "spark " + direction);
  svg.setAttribute("viewBox", "0 0 120 26");
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("role", "img");
  for (const part of ["area", "line"]) {
    const path = document.createElementNS(ns, "path");
    path.setAttribute("class", part);
    svg.append(path);
  }
  return svg;
}
