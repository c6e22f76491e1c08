"""page - writes what the benchmarks found: benchmarks.md and its pictures.

Knows nothing of processes: `found` is what bench/run collected.
"""
import math
import os
import platform
import re
import subprocess
import time

from processes import ROOT

COLORS = {"weir": "#0b7285", "relay": "#868e96", "HAProxy": "#e8590c", "nginx": "#2f9e44",
          "nghttpx": "#7048e8", "Envoy": "#c2255c", "linkerd2-proxy": "#5c940d"}


def machine():
    with open("/proc/cpuinfo") as f:
        model = re.search(r"^model name\s*: (.*)$", f.read(), re.M)
    return f"{model[1] if model else platform.machine()}, {os.cpu_count()} cores"


def commit():
    done = subprocess.run(["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True,
                          text=True)
    return done.stdout.strip() or "unknown"


def number(v):
    """Three digits that matter."""
    if v is None:
        return ""
    if v == 0:
        return "0"
    digits = max(0, 2 - math.floor(math.log10(abs(v))))
    return f"{v:,.{digits}f}"


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return lines + ["| " + " | ".join(str(c) for c in row) + " |" for row in rows]


# ---- targets ----

MEMORY_MAX = (1024, 1500, 4096)  # bytes: a stream, a connection before its first call, after it


def verdict(value, limit):
    return "hit" if value <= limit else "**miss**"


def target_rows(found):
    """[work, ratio to relay, target, verdict, best peer, ratio to it, target, verdict, A/A]"""
    rows = []
    for work, series, best in found["works"]:
        weir, again, relay = (series[n] for n in ("weir", "weir again", "relay"))
        row = [work.title]
        if weir.good() and relay.good():
            ratio = weir.ratio_to(relay)
            row += [f"{ratio:.2f}", f"{work.relay_max:.2f}", verdict(ratio, work.relay_max)]
        else:
            row += ["failed", f"{work.relay_max:.2f}", "**miss**"]
        if weir.good() and best:
            ratio = weir.ratio_to(series[best])
            row += [best, f"{ratio:.2f}", f"{work.peer_max:.2f}", verdict(ratio, work.peer_max)]
        else:
            row += ["none", "", f"{work.peer_max:.2f}", ""]
        row.append(f"{again.ratio_to(weir):.2f}" if weir.good() and again.good() else "")
        rows.append(row)
    return rows


TARGET_HEAD = ["work", "to relay", "target", "", "best peer", "to best peer", "target", "",
               "A/A: weir to weir"]


def growth_row(found):
    """Cost at a fixed offered rate from one stream to the most, weir's growth and the relay's."""
    for curve, lines in found["curves"]:
        if curve.key != "streams" or not lines["weir"] or not lines["relay"]:
            continue
        ends = [(lines[n][0], lines[n][-1]) for n in ("weir", "relay")]
        weir, relay = (last[1] / first[1] for first, last in ends)
        streams = ends[0][1][0]
        return [f"{streams:,}", f"{weir:.2f}", f"{relay:.2f}", f"{weir / relay:.2f}", "1.20",
                verdict(weir / relay, 1.2)]
    return None


def target_lines(found):
    """The targets for a terminal."""
    rows = [TARGET_HEAD] + [[c.replace("*", "") for c in row] for row in target_rows(found)]
    if len(rows) == 1:
        return []
    widths = [max(len(row[i]) for row in rows) for i in range(len(TARGET_HEAD))]
    return ["  ".join(c.ljust(w) for c, w in zip(row, widths)).rstrip() for row in rows]


# ---- pictures ----

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 760, 420, 70, 150, 46, 52


def log_ticks(low, high):
    return [10 ** e for e in range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)]


def tick_text(v):
    return f"{v:,.0f}" if v >= 1 else f"{v:g}"


def picture(curve, lines):
    """Both axes logarithmic: equal ratios are equal distances."""
    points = [p for line in lines.values() for p in line]
    xs, ys = [p[0] for p in points], [p[1] for p in points]
    x_low, x_high = math.log10(min(xs)), math.log10(max(max(xs), min(xs) * 10))
    y_ticks = log_ticks(min(ys), max(ys))
    y_low, y_high = math.log10(y_ticks[0]), math.log10(max(y_ticks[-1], y_ticks[0] * 10))

    def x_at(v):
        return LEFT + (math.log10(v) - x_low) / (x_high - x_low) * (WIDTH - LEFT - RIGHT)

    def y_at(v):
        return HEIGHT - BOTTOM - (math.log10(v) - y_low) / (y_high - y_low) * (HEIGHT - TOP - BOTTOM)

    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
           f'aria-label="Cost per message against {curve.x_label}" font-family="sans-serif" '
           'font-size="12">',
           f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
           f'<text x="{LEFT}" y="20" font-size="14" fill="#212529">{curve.title}</text>',
           f'<text x="{LEFT}" y="37" fill="#495057">CPU microseconds of the proxy per '
           f'{curve.unit}; both axes logarithmic</text>']
    for v in y_ticks:
        y = y_at(v)
        out.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}" '
                   'stroke="#dee2e6"/>')
        out.append(f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end" fill="#495057">'
                   f'{tick_text(v)}</text>')
    for v in curve.points:
        out.append(f'<text x="{x_at(v):.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle" '
                   f'fill="#495057">{v:,}</text>')
    out.append(f'<text x="{(LEFT + WIDTH - RIGHT) / 2:.0f}" y="{HEIGHT - 10}" text-anchor="middle" '
               f'fill="#212529">{curve.x_label}</text>')
    labels = sorted((y_at(line[-1][1]), name) for name, line in lines.items() if line)
    label_y = 0
    for y, name in labels:
        line, color = lines[name], COLORS.get(name, "#212529")
        path = " ".join(f"{x_at(p[0]):.1f},{y_at(p[1]):.1f}" for p in line)
        dash = ' stroke-dasharray="6 4"' if name == "relay" else ""
        width = 3 if name == "weir" else 1.8
        out.append(f'<polyline points="{path}" fill="none" stroke="{color}" stroke-width="{width}"'
                   f'{dash}/>')
        out += [f'<circle cx="{x_at(p[0]):.1f}" cy="{y_at(p[1]):.1f}" r="3" fill="{color}">'
                f'<title>{name}, {p[0]:,}: {number(p[1])}</title></circle>' for p in line]
        label_y = max(y + 4, label_y + 15)  # one below the other where lines end close together
        weight = ' font-weight="bold"' if name == "weir" else ""
        out.append(f'<text x="{x_at(line[-1][0]) + 10:.1f}" y="{label_y:.1f}" fill="{color}"{weight}>'
                   f'{name} {number(line[-1][1])}</text>')
    return "\n".join(out + ["</svg>"]) + "\n"


# ---- the page ----

def work_section(work, series):
    rows = []
    for name, s in series.items():
        if not s.good():
            rows.append([name, f"failed: {s.failure}", "", "", "", "", ""])
            continue
        rows.append([name, number(s.median()), f"{s.spread():.0%}", number(s.rate())] +
                    [number(s.latency(p)) for p in ("p50", "p99", "p99.9")])
    return [f"### {work.title}", ""] + table(
        ["proxy", f"CPU-s per million {work.unit}s", "spread", f"{work.unit}s a second",
         "p50, µs", "p99, µs", "p99.9, µs"], rows) + [""]


def reno_section(reno):
    rows = []
    for work, series in reno["works"]:
        weir, relay = series["weir"], series["relay"]
        both = weir.good() and relay.good()
        rows.append([work.title] + [number(s.median()) if s.good() else "failed" for s in (weir, relay)]
                    + [f"{weir.ratio_to(relay):.2f}" if both else ""])
    return ["## With reno on the proxy's own sockets", "", f"All else here runs on the machine's own"
            f" congestion control, {congestion_control()}. bbr lets a burst go part by part, by a timer; over"
            " loopback, and most of all in a virtual machine, these timers are a good part of what was"
            " measured above, and they differ with who writes how much at a time. Here Weir and the relay"
            " both have reno on their own sockets, so that the messages' own cost shows (Weir:"
            " `congestion_control: reno` of the listener and the cluster), and the load's ends keep what"
            f" the machine has. CPU-s per million; {reno['rounds']} rounds.", ""] + table(
        ["work", "weir", "relay", "to relay"], rows) + [""]


def curve_section(curve, lines):
    rows = [[name] + [number(next((p[1] for p in line if p[0] == n), None)) or "failed"
                      for n in curve.points] for name, line in lines.items()]
    out = [f"### Against {curve.x_label}", "", f"![Cost per message against {curve.x_label}]"
           f"(img/bench-{curve.key}.svg)", "",
           f"{curve.title}; CPU-s per million {curve.unit}s.", ""]
    out += table([curve.x_label] + [f"{n:,}" for n in curve.points], rows)
    if any(p[2] is not None for line in lines.values() for p in line):
        out += ["", "Latency, counted from when each message was due: median / 99th percentile, µs.",
                ""]
        out += table([curve.x_label] + [f"{n:,}" for n in curve.points],
                     [[name] + [next((f"{number(p[2])} / {number(p[3])}" for p in line
                                      if p[0] == n and p[2] is not None), "") for n in curve.points]
                      for name, line in lines.items()])
    return out + [""]


def memory_section(memory):
    rows = [[name] + ([f"failed: {v}", "", ""] if isinstance(v, str) else [f"{b:,.0f}" for b in v])
            for name, v in memory["of"].items()]
    weir = memory["of"].get("weir")
    if isinstance(weir, list):
        rows.append(["target for weir"] + [f"{limit:,}, {verdict(b, limit)}"
                                           for b, limit in zip(weir, MEMORY_MAX)])
    return ["## Memory", "", f"Growth of the proxy's anonymous resident memory by {memory['streams']:,}"
            f" idle streams over 8 connections, and by {memory['conns']:,} idle connections before and"
            f" after their first call; bytes each, {memory['settle_s']} seconds after the last was"
            " opened, when they have been idle. Both sides of the proxy count; sockets' buffers in"
            " the kernel do not.", ""] + table(
        ["proxy", "stream", "connection, new", "connection, used"], rows) + [""]


def stall_section(stall):
    rows = [[name, number(a), number(b), f"{b / a:.2f}"] for name, (a, b) in stall.items()]
    return ["## Beside a stalled stream", "", "Eight streams of 1 KiB messages on one connection; then"
            " one of them is not read. Messages a second of each that is read.", ""] + table(
        ["proxy", "all read", "one stalled", "ratio"], rows) + [""]


def congestion_control():
    """It matters: bbr paces, with a timer for each burst, and cubic does not."""
    with open("/proc/sys/net/ipv4/tcp_congestion_control") as f:
        return f.read().strip()


def head(found, started):
    versions = ", ".join(f"{k.name} {k.version}" for k in found["kinds"] if k.is_peer) or "none"
    out = ["# Benchmarks", "", "Written by `make bench`; how it measures stands at the top of"
           " `bench/run`, the peers' settings and the reasons for them in `bench/peers/`.", "",
           f"- {time.strftime('%Y-%m-%d %H:%M UTC', time.gmtime(started))}, {machine()},"
           f" Linux {platform.release().split('-')[0]}, loopback ({congestion_control()}), no TLS",
           f"- Weir {found['kinds'][0].version} ({commit()}); peers: {versions}"
           + (f"; left out: {'; '.join(found['missing'])}" if found["missing"] else ""),
           f"- one worker on one core, the load on another; {found['rounds']} interleaved rounds of"
           f" {found['run_ms']} ms (curves: {found['curve_rounds']})", ""]
    return out


def page(found, started):
    out = head(found, started)
    if found["works"]:
        out += ["## Targets", ""] + table(TARGET_HEAD, target_rows(found)) + [""]
    growth = growth_row(found)
    if growth:
        out += [f"At {found['rate']:,} messages a second, whatever the number of streams, the cost of a"
                " message grows from 1 stream to the most:", ""]
        out += table(["streams", "weir, times", "relay, times", "ratio", "target", ""], [growth]) + [""]
    if found["works"]:
        out += ["## Cost and latency", "", "The median round; `spread` is the largest round less the"
                " smallest, as a share of the median. Latencies: a call, or a message there and back,"
                " with as many under way as the work says.", ""]
        for work, series, _ in found["works"]:
            out += work_section(work, series)
    if found["reno"]:
        out += reno_section(found["reno"])
    if found["instructions"]:
        titles = {w.key: (w.title, w.unit) for w, _, _ in found["works"]}
        rows = [[titles.get(k, (k, ""))[0], f"{v:,.0f}"] for k, v in found["instructions"].items()]
        out += ["## Instructions", "", "User instructions of Weir for each message or call, counted by"
                " callgrind. Under it Weir is slow and finds more at each turn than it otherwise would.",
                ""] + table(["work", "instructions"], rows) + [""]
    if found["curves"]:
        out += ["## Curves", ""]
        for curve, lines in found["curves"]:
            out += curve_section(curve, lines)
    if found["memory"]:
        out += memory_section(found["memory"])
    if found["stall"]:
        out += stall_section(found["stall"])
    return "\n".join(out).rstrip() + "\n"


def write(folder, found, started):
    os.makedirs(os.path.join(folder, "img"), exist_ok=True)
    for curve, lines in found["curves"]:
        if any(lines.values()):
            with open(os.path.join(folder, "img", f"bench-{curve.key}.svg"), "w") as f:
                f.write(picture(curve, lines))
    with open(os.path.join(folder, "benchmarks.md"), "w") as f:
        f.write(page(found, started))
