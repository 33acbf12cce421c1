"""Opens the live page in headless Chromium, on a phone and on a desk, while a load runs.

    Tests/Drivers/page.py MARTLET [--screenshots DIRECTORY]

Without Chromium (`scripts/install-dependencies test` installs it where there is one) it ends with 77: skipped.
"""

import argparse
import http.client
import json
import os
import shutil
import sys
import threading
import time

from pymongo import MongoClient
from pymongo.errors import PyMongoError

from browser import Browser, BrowserError, find_chromium
from servers import Martlet, PostgreSQL, ServerError, free_port, temporary_directory, wait_until

SKIPPED = 77
PHONE, DESK = (375, 667), (1280, 900)
HOSTILE = '<img src=x onerror="document.title=1;window.hacked=1">'
HOSTILE_ID = "</span><script>window.hacked=1</script>"

# What is wider than the window, with its path: an empty list is what there should be.
OVERFLOWING = """
[...document.querySelectorAll('body *')].filter(e => e.getBoundingClientRect().right > innerWidth + 0.5
    && !e.closest('svg')).map(e => `${e.tagName}.${e.className}#${e.id}`).slice(0, 5)
"""


def expect(what, found, expected=True):
    if found != expected:
        raise ServerError(f"{what}: {found!r}, expected {expected!r}")


def ask(port, path, headers):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=15)
    try:
        connection.putrequest("GET", path, skip_host=True)
        for name, value in headers:
            connection.putheader(name, value)
        connection.endheaders()
        reply = connection.getresponse()
        return reply.status, reply.read().decode(), reply.headers
    finally:
        connection.close()


def test_http(port):
    """What a browser is told, and which hosts the page goes by."""
    status, page, headers = ask(port, "/", [("host", f"127.0.0.1:{port}")])
    expect("the page", (status, headers["content-type"]), (200, "text/html; charset=utf-8"))
    policy = headers["content-security-policy"]
    expect("policy", "default-src 'none'" in policy and "unsafe" not in policy and "*" not in policy)
    expect("one file", "src=" in page or "@import" in page, False)
    status, report, headers = ask(port, "/status.json", [("host", "localhost")])
    expect("the report", (status, headers["content-type"]), (200, "application/json"))
    expect("pools", {"readers", "writers", "general", "analytics"} <= {p["name"] for p in json.loads(report)["pools"]})
    for path in ("/", "/status.json"):
        for hosts in ([("host", "evil.example")], [], [("host", "localhost"), ("host", "localhost")],
                      [("host", f"127.0.0.1.evil.example:{port}")]):
            status, text, _ = ask(port, path, hosts)
            if status == 200 or "Martlet" in text or "pools" in text:
                raise ServerError(f"{path} is shown to {hosts}: {status}")
    expect("a name for scrapers", ask(port, "/livez", [("host", "anything.example")])[0], 200)


class Load:
    """Reads, writes that meet, and slow commands, until it is stopped."""

    def __init__(self, uri):
        self.uri = uri
        self.stopped = threading.Event()
        self.threads = [threading.Thread(target=self._run, args=(number,)) for number in range(6)]

    def _run(self, number):
        with MongoClient(self.uri, appname="page test") as client:
            collection = client.page_test[HOSTILE]
            while not self.stopped.is_set():
                try:
                    collection.update_one({"_id": HOSTILE_ID}, {"$inc": {"n": 1}}, upsert=True)
                    collection.insert_one({"n": number})
                    collection.find_one({"_id": HOSTILE_ID})
                    list(collection.find({"n": {"$gt": 3}}).limit(20))
                except PyMongoError:
                    time.sleep(0.1)

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stopped.set()
        for thread in self.threads:
            thread.join()


def make_slow_commands(client):
    """Everything counts as slow for a moment, so that there are some on any machine."""
    client.page_test.command("profile", 0, slowms=-1)
    client.page_test[HOSTILE].count_documents({"n": {"$gt": 1}})
    client.page_test[HOSTILE].find_one({"n": 2})
    list(client.page_test["b" * 200].aggregate([{"$group": {"_id": "$" + "long" * 40}}]))
    client.page_test.command("profile", 0, slowms=100)


def text_of(browser, selector):
    return browser.evaluate(f"document.querySelector({json.dumps(selector)})?.textContent")


def check_fit(browser, what):
    wider = browser.evaluate("document.documentElement.scrollWidth - innerWidth")
    found = browser.evaluate(OVERFLOWING)
    if wider > 0 or found:
        raise ServerError(f"{what}: {wider} px too wide: {found}")


def test_idle(browser):
    """A server that nobody uses says so."""
    browser.wait("document.getElementById('state').textContent === 'serving'")
    browser.wait("document.getElementById('rate').textContent !== '–'")
    check_fit(browser, "idle")


def test_load(browser, client, shot):
    numbers = "[...document.querySelectorAll('#commands tr')].map(r => r.lastChild.textContent).join()"
    with Load(client_uri(client)):
        browser.wait("document.querySelectorAll('#commands tr').length >= 3")
        make_slow_commands(client)
        before = browser.evaluate(numbers)
        browser.wait(f"{numbers} !== {json.dumps(before)}")
        browser.wait("document.querySelectorAll('#slow li').length >= 2")
        browser.wait("document.querySelectorAll('#hot li').length >= 1")
        # The line grows to its second point and beyond.
        browser.wait("(document.querySelector('#rate-line .line')?.getAttribute('d') ?? '').includes('L')")
        browser.evaluate("document.querySelectorAll('#slow details').forEach(each => { each.open = true; })")
        for size, scheme in ((PHONE, "light"), (PHONE, "dark"), (DESK, "light"), (DESK, "dark")):
            browser.resize(*size, is_mobile=size == PHONE)
            browser.set_scheme(scheme)
            check_fit(browser, f"{size}, {scheme}")
            shot(f"{size[0]}-{scheme}")
        seen = text_of(browser, "#facts")
        browser.wait(f"document.getElementById('facts').textContent !== {json.dumps(seen)}")
        expect("what is open stays open", browser.evaluate(
            "document.querySelectorAll('#slow details[open]').length > 1"))
        expect("SQL", "SELECT" in browser.evaluate("document.getElementById('slow').textContent"))


def client_uri(client):
    host, port = client.address
    return f"mongodb://{host}:{port}/"


def test_hostile_names(browser):
    expect("a hostile namespace is text", HOSTILE in text_of(browser, "#slow"))
    expect("a hostile namespace is text among hot documents", HOSTILE in text_of(browser, "#hot"))
    expect("elements made of names", browser.evaluate("document.querySelectorAll('img, main script').length"), 0)
    expect("scripts run by names", browser.evaluate("'hacked' in window"), False)

def test_policy(browser):
    """Even a script that got in could not run, nor make markup of text."""
    browser.evaluate("""(() => { const s = document.createElement('script');
        s.append('window.hacked = 1'); document.body.append(s); })()""", may_fail=True)
    expect("the policy", browser.evaluate("'hacked' in window"), False)
    expect("markup from text", browser.evaluate(
        "(() => { try { document.body.innerHTML = 'x'; return 'made'; } catch { return 'refused'; } })()"), "refused")


def test_keyboard(browser):
    """All that can be pressed is reached by the tab key, shows that it is, and has a name."""
    browser.evaluate("document.activeElement.blur()")
    reached = []
    for _ in range(3):
        browser.press("Tab")
        reached.append(browser.evaluate("document.activeElement.tagName"))
    expect("reached by tab", reached, ["BUTTON", "SUMMARY", "SUMMARY"])
    unnamed = "[...document.querySelectorAll('section, svg[role=img], button')].filter(e => !(e.ariaLabel ?? " \
        "document.getElementById(e.getAttribute('aria-labelledby'))?.textContent ?? e.textContent).trim()).length"
    expect("parts without a name", browser.evaluate(unnamed), 0)
    browser.evaluate("document.getElementById('pause').focus()")
    browser.press("Enter")
    expect("paused", text_of(browser, "#state"), "paused")
    browser.press("Enter")
    browser.wait("document.getElementById('state').textContent === 'serving'")


def test_unreachable(browser, server, shot):
    server.stop()
    browser.wait("document.getElementById('state').textContent.startsWith('unreachable since')")
    expect("figures are marked as old", browser.evaluate("document.getElementById('content').className"), "stale")
    browser.resize(*PHONE, is_mobile=True)
    shot("unreachable")
    server.start()
    browser.wait("document.getElementById('state').textContent === 'serving'", seconds=60)


def run(chromium, binary, directory, screenshots):
    postgresql = PostgreSQL(directory)
    server = Martlet(binary, directory, postgresql.url)
    port = free_port()
    server.options = ["--admin-listen", f"127.0.0.1:{port}"]
    try:
        postgresql.start()
        server.start()
        test_http(port)
        with Browser(chromium, directory) as browser, MongoClient(server.uri) as client:
            client.admin.command("ping")

            def shot(name):
                if screenshots:
                    browser.screenshot(os.path.join(screenshots, f"{name}.png"))

            browser.resize(*PHONE, is_mobile=True)
            browser.open(f"http://127.0.0.1:{port}/")
            test_idle(browser)
            shot("idle")
            test_load(browser, client, shot)
            test_hostile_names(browser)
            test_keyboard(browser)
            expect("complaints of the browser", browser.complaints, [])
            test_policy(browser)
            test_unreachable(browser, server, shot)
        server.stop()
        postgresql.stop()
    finally:
        server.clean_up()
        postgresql.clean_up()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("server")
    parser.add_argument("--screenshots", metavar="DIRECTORY", help="keep pictures of what was seen")
    arguments = parser.parse_args()
    chromium = find_chromium()
    if not chromium:
        print("there is no Chromium: the live page is not tested")
        sys.exit(SKIPPED)
    directory = temporary_directory()
    try:
        run(chromium, arguments.server, directory, arguments.screenshots)
    except (ServerError, BrowserError, OSError, PyMongoError, http.client.HTTPException) as error:
        sys.exit(f"page: {error}")
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    print("ok - page")


main()
