#!/usr/bin/python3
"""dashboard_test.py - the web page of the admin address, in a real browser, over real gRPC streams."""
import contextlib
import json
import time
from browser import Browser
from calls import Channel
from kit import Peer, Weir, config, eventually, free_port, one_route
import kit
from tap import cases, check, check_eq, run, test
import raw
from raw import Upstream, Wire

# What a reader sees of a table: the texts of its rows, and of one column of them.
ROWS = "[...document.querySelectorAll('#%s tbody tr.row')].map(r => [...r.cells].map(c => c.textContent))"
FIRSTS = "[...document.querySelectorAll('#%s tbody tr.row')].map(r => r.cells[0].textContent)"
LIVE = "document.getElementById('link').classList.contains('live')"


@contextlib.contextmanager
def dashboard(cfg, **browser):
    """(weir, page) with the dashboard open; at the end nothing may have gone wrong in the browser."""
    with Weir(cfg) as weir, Browser(**browser) as page:
        page.open(f"http://{cfg['admin']}/dashboard")
        page.eventually(LIVE)
        yield weir, page
        check_eq(page.problems, [], "problems in the browser")


def routes(weir):
    return json.loads(weir.get("/routes")[1])["routes"]


def text(page, name):
    return page.run(f"document.getElementById('{name}').textContent")


def two_routes(port, **more):
    return config([{"name": "chats", "match": {"method": {"service": "weir.e2e.Peer", "method": "Chat"}}, "cluster": "up", **more},
                   {"name": "rest", "cluster": "up", **more}], [{"name": "up", "endpoints": [f"127.0.0.1:{port}"]}])


# ---- what is shown

@test(timeout_s=120)
def it_shows_what_the_pages_say_and_follows_while_messages_flow():
    with Peer("py", "server") as server, dashboard(two_routes(server.port)) as (weir, page), Channel(weir.target()) as channel:
        check_eq(text(page, "health"), "ready")
        check_eq(text(page, "version"), json.loads(page.run(
            "fetch('/events?interval=250').then(r => r.body.getReader()).then(async r => { let t = ''; while (!t.includes('\\n\\nid'))"
            " t += new TextDecoder().decode((await r.read()).value); while (!t.endsWith('\\n\\n')) t += new TextDecoder().decode((await"
            " r.read()).value); r.cancel(); return t.split('data: ')[1].trim() })"))["health"]["version"])
        chats = [channel.chat() for _ in range(5)]
        for c in chats:
            for _ in range(20):
                c.turn()
        page.eventually("document.querySelectorAll('#streams tbody tr.row').length == 5")
        page.eventually("document.getElementById('t-active').textContent == '5'")
        row, = routes(weir)
        check_eq((row["active"], row["sent"]["messages"], row["received"]["messages"]), (5, 100, 100))
        shown, = page.run(ROWS % "routes")
        check_eq((shown[0], shown[1], shown[2], shown[3]), ("chats", "in", "up", "5"))
        page.run("document.querySelector('#routes .open').click()")
        details = page.run("document.querySelector('#routes .details').textContent")
        check("Messages sent100" in details and "Messages received100" in details, details)
        for cells in page.run(ROWS % "streams"):
            check_eq(cells[0], "weir.e2e.Peer/Chat")
            check_eq((cells[1], cells[3]), ("chats", f"127.0.0.1:{server.port}"))
            check(cells[5].startswith("20 ") and cells[6].startswith("20 "), cells)

        def moves():
            for c in chats:
                c.turn()
            return page.run("parseFloat(document.getElementById('t-sent').textContent) > 0 && "
                            "parseFloat(document.querySelector('#routes tbody tr').cells[4].textContent) > 0 && "
                            "/L/.test(document.querySelector('#routes .spark.sent .line').getAttribute('d') || '')")
        eventually(moves, "rates and lines that move")
        for c in chats:
            check_eq(c.close()[0], "OK")
        page.eventually("document.querySelectorAll('#streams tbody tr.row').length == 0")
        page.eventually("document.getElementById('t-active').textContent == '0'")
        page.eventually("document.querySelector('#routes .details').textContent.includes('OK: 5')")
        check_eq(page.run("document.querySelectorAll('#clusters tbody tr.row').length"), 1)
        sides = {cells[1] for cells in page.run(ROWS % "connections")}
        check_eq(sides, {"client in", "server up"})


@test(timeout_s=120)
def a_stalled_stream_appears_with_its_cause_in_words_and_vanishes_when_it_is_killed():
    with Peer("py", "server") as server, \
            dashboard(two_routes(server.port, stalled_after="200ms")) as (weir, page), Channel(weir.target()) as channel:
        page.eventually("document.getElementById('hung').textContent.includes('Every stream moves.')")
        moving = channel.chat()
        moving.turn()
        stuck = channel.produce(100000, 16384)  # which nobody reads
        page.eventually("document.querySelectorAll('#hung tbody tr.row').length == 1")
        page.eventually("document.querySelector('#hung tbody tr').cells[1].textContent == 'stalled'")
        cells, = page.run(ROWS % "hung")
        check_eq(cells[0], "weir.e2e.Peer/Produce")
        check_eq(cells[3], "The client has stopped reading this stream: it has used up its stream window.")
        page.eventually("document.getElementById('t-stalled').textContent == '1'")
        check(page.run("document.getElementById('tile-hung').classList.contains('alarm')"))
        page.eventually(f"({FIRSTS % 'streams'}).length == 2")
        page.eventually("document.querySelector('#routes tbody').textContent.includes('1 stalled')")
        stuck.cancel()
        page.eventually("document.querySelectorAll('#hung tbody tr.row').length == 0")
        page.eventually(f"({FIRSTS % 'streams'}).join() == 'weir.e2e.Peer/Chat'")
        page.eventually("document.getElementById('t-stalled').textContent == '0'")
        check_eq(moving.close()[0], "OK")


@test(timeout_s=120)
def the_filter_and_the_order_of_rows_work_by_mouse_and_by_keyboard():
    with Peer("py", "server") as server, dashboard(two_routes(server.port)) as (weir, page), Channel(weir.target()) as channel:
        chats = [channel.chat() for _ in range(3)]
        for n, c in enumerate(chats):
            for _ in range(n + 1):
                c.turn()
        sleeper = channel.produce(1, 64, metadata=(("x-wait", "1"),))
        next(sleeper)
        page.eventually("document.querySelectorAll('#streams tbody tr.row').length == 4")

        sent = "[...document.querySelectorAll('#streams tbody tr.row')].map(r => parseInt(r.cells[5].textContent)).join()"
        page.run("[...document.querySelectorAll('#streams th button')].find(b => b.textContent == 'Sent').click()")
        check_eq(page.run(sent), "3,2,1,1")
        check_eq(page.run("document.querySelector('#streams th[aria-sort]').getAttribute('aria-sort')"), "descending")
        page.run("document.querySelector('#streams th[aria-sort] button').click()")
        check_eq(page.run(sent), "1,1,2,3")

        page.key("/", 191, "/")
        check_eq(page.run("document.activeElement.id"), "filter")
        page.type("produce")
        check_eq(page.run(FIRSTS % "streams"), ["weir.e2e.Peer/Produce"])
        check_eq(text(page, "n-streams"), "1 of 4")
        page.run("document.activeElement.select()")
        page.type("route=chats")  # the server's: the others are not even sent
        page.eventually(f"({FIRSTS % 'streams'}).length == 3")
        page.eventually("document.getElementById('n-streams').textContent == '3'")
        check(any("route=chats" in url for url in page.requests), page.requests)
        page.run("document.activeElement.select()")
        page.type("nothing-like-it")
        page.eventually("document.getElementById('streams').textContent.includes('none that the filter lets through')")
        page.run("document.activeElement.value = ''; document.activeElement.dispatchEvent(new Event('input'))")
        page.eventually("document.querySelectorAll('#streams tbody tr.row').length == 4")

        page.run("document.querySelector('#streams .open').focus()")
        page.key("Enter", 13, "\r")
        check_eq(page.run("document.activeElement.getAttribute('aria-expanded')"), "true")
        number = page.run("parseInt(document.getElementById('uptime').textContent)")
        page.eventually(f"parseInt(document.getElementById('uptime').textContent) > {number} + 1")
        check_eq(page.run("document.querySelectorAll('#streams .details').length"), 1)  # updates left it, and the focus
        check_eq(page.run("document.activeElement.getAttribute('aria-expanded')"), "true")
        page.run("document.getElementById('sort').value = 'busiest'; document.getElementById('sort').dispatchEvent(new Event('change'))")
        eventually(lambda: page.run("1") and any("sort=busiest" in url for url in page.requests), "a new order")
        page.eventually(LIVE)
        sleeper.cancel()
        for c in chats:
            check_eq(c.close()[0], "OK")


# ---- what it must not do

HOSTILE = "/<img/src=x/onerror=window.pwned=1>'\"&amp;"


@test(timeout_s=120)
def what_a_peer_sends_is_text_and_never_markup():
    with Upstream(raw.echo) as server, dashboard(one_route(server.port)) as (weir, page), Wire.connect(weir.port()) as wire:
        wire.start()
        wire.headers(1, raw.request(HOSTILE, grpc=False))
        page.eventually("document.querySelectorAll('#streams tbody tr.row').length == 1")
        page.run("document.querySelector('#streams .open').click()")
        check("onerror=window.pwned" in page.run("document.querySelector('#streams').textContent"))
        check(HOSTILE in page.run("document.querySelector('#streams .details').textContent"))
        check_eq(page.run("document.querySelectorAll('img, #streams script').length"), 0)
        check_eq(page.run("typeof window.pwned"), "undefined")
        check_eq(page.run("try_markup = (() => { try { document.body.innerHTML = '<b>x</b>'; return 'done' } catch { return 'refused' } })()"),
                 "refused")  # not even a mistake of ours could
        wire.rst(1, raw.CANCEL)
        page.eventually("document.querySelectorAll('#streams tbody tr.row').length == 0")
        page.problems = [p for p in page.problems if "TrustedHTML" not in p]  # the refusal that was asked for


@test(timeout_s=120)
def it_asks_nobody_but_weir_and_allows_itself_nothing_else():
    with Upstream(raw.echo) as server, dashboard(one_route(server.port)) as (weir, page):
        page.eventually("document.getElementById('t-active').textContent == '0'")
        for url in page.requests:
            check(url.startswith((f"http://{weir.cfg['admin']}/", "data:")), url)
        status, _ = weir.get("/dashboard")
        check_eq(status, 200)
        check_eq(page.run("fetch('http://127.0.0.1:1/').then(() => 'done', () => 'refused')"), "refused")
        check(any("Content Security Policy" in p for p in page.problems), page.problems)
        page.problems.clear()


@cases(360, 800, 1200, 1600, timeout_s=120)
def nothing_is_wider_than_the_window(width):
    with Peer("py", "server") as server, dashboard(one_route(server.port), width=width) as (weir, page), \
            Channel(weir.target()) as channel:
        chat = channel.chat()
        chat.turn()
        page.eventually("document.querySelectorAll('#streams tbody tr.row').length == 1")
        page.run("document.querySelector('#streams .open').click()")
        check_eq(page.run("document.documentElement.scrollWidth"), width)
        for table in ("routes", "streams", "connections", "clusters"):
            first = page.run(f"document.querySelector('#{table} tbody td').offsetWidth")
            check(first >= 60, f"the first column of {table} is {first} px wide")
        check_eq(chat.close()[0], "OK")


@test(timeout_s=120)
def dark_and_light_differ_follow_the_system_and_a_choice_is_remembered():
    def colours():
        return page.run("[getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).color].join()")
    with Upstream(raw.echo) as server, dashboard(one_route(server.port)) as (weir, page):
        light, light_shot = colours(), page.screenshot()
        page.colours("dark")
        page.eventually("document.documentElement.dataset.theme == 'dark'")
        dark, dark_shot = colours(), page.screenshot()
        check(light != dark and light_shot != dark_shot)
        page.run("document.getElementById('theme').click()")  # from the system's to light
        check_eq(colours(), light)
        page.open(f"http://{weir.cfg['admin']}/dashboard")
        page.eventually(LIVE)
        check_eq(colours(), light)
        page.run("document.getElementById('theme').click()")
        check_eq(colours(), dark)
        page.run("document.getElementById('theme').click()")
        check_eq(page.run("document.getElementById('theme').title"), "Colours: as the system")


# ---- when things end

@test(timeout_s=120)
def it_says_that_weir_drains_has_ended_or_is_gone_and_comes_back_with_it():
    with Peer("py", "server") as server, Browser() as page:
        cfg = one_route(server.port, grace="60s")
        with Weir(cfg) as weir, Channel(weir.target()) as channel:
            page.open(f"http://{cfg['admin']}/dashboard")
            page.eventually(LIVE)
            check_eq(page.problems, [])
            chat = channel.chat()
            chat.turn()
            page.eventually("document.getElementById('t-active').textContent == '1'")
            weir.get("/drain", method="POST")
            page.eventually("document.getElementById('health').textContent == 'draining'")
            page.eventually("document.getElementById('notice').textContent.startsWith('Weir is draining')")
            chat.turn()
            check_eq(chat.close()[0], "OK")
            weir.wait()
        page.eventually("document.getElementById('notice').textContent.startsWith('Weir has ended in order')")
        with Weir(cfg) as weir:
            page.eventually(LIVE)
            page.eventually("document.getElementById('notice').hidden")
            weir.process.kill()
            page.eventually("document.getElementById('notice').textContent.startsWith('Weir does not answer')")
            page.eventually("document.getElementById('link-text').textContent.startsWith('no answer')")
            weir.process.wait()
            weir.process.returncode = 0  # the kill was asked for
        with Weir(cfg):
            page.eventually(LIVE)
            page.eventually("document.getElementById('health').textContent == 'ready'")


@test(timeout_s=120)
def it_names_a_worker_that_does_not_answer_and_shows_what_the_others_have():
    notice = "document.getElementById('notice')"
    with Peer("py", "server") as server, dashboard(one_route(server.port, workers=2)) as (weir, page), \
            Channel(weir.target()) as channel:
        chat = channel.chat()
        chat.turn()
        page.eventually("document.querySelectorAll('#streams tbody tr.row').length == 1")
        check(page.run(notice + ".hidden"), "a notice while all answer")
        stream, = json.loads(weir.get("/streams")[1])["streams"]
        worker = int(stream["id"].partition("-")[0])
        with kit.stopped_thread(weir.pid, f"worker-{worker}"):
            page.eventually(f"{notice}.textContent == 'Worker {worker} did not answer in time: its streams and connections"
                            " are missing below.'")
            check(not page.run(notice + ".hidden"), "the notice is hidden")
            page.eventually("document.querySelectorAll('#streams tbody tr.row').length == 0")
            check(page.run(LIVE), "the page is not live")
            check_eq(json.loads(weir.get("/streams")[1])["missing_workers"], [worker], "missing workers")
        page.eventually(notice + ".hidden")
        page.eventually("document.querySelectorAll('#streams tbody tr.row').length == 1")
        check_eq(chat.close()[0], "OK")


@test(timeout_s=120)
def a_page_that_nobody_sees_draws_nothing_and_a_paused_one_stands_still():
    with Peer("py", "server") as server, dashboard(one_route(server.port)) as (weir, page), Channel(weir.target()) as channel:
        def events():
            return weir.metrics().sum("weir_admin_event_snapshots_total")

        def more_events():
            before = events()
            eventually(lambda: events() >= before + 2, "two more snapshots")
        page.run("Object.defineProperty(document, 'hidden', {value: true, configurable: true})")
        chat = channel.chat()
        chat.turn()
        more_events()
        check_eq(page.run("document.querySelectorAll('#streams tbody tr.row').length"), 0)
        page.run("delete document.hidden; document.dispatchEvent(new Event('visibilitychange'))")
        page.eventually("document.querySelectorAll('#streams tbody tr.row').length == 1")
        page.run("document.getElementById('pause').click()")
        check_eq(chat.close()[0], "OK")
        more_events()
        check_eq(page.run("document.querySelectorAll('#streams tbody tr.row').length"), 1)
        check_eq(text(page, "link-text"), "paused")
        page.run("document.getElementById('pause').click()")
        page.eventually("document.querySelectorAll('#streams tbody tr.row').length == 0")


if __name__ == "__main__":
    run()
