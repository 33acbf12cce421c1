"""A headless Chromium over its DevTools protocol, by a pair of pipes: no driver program and no network port.

https://chromedevtools.github.io/devtools-protocol/
"""

import base64
import fcntl
import json
import os
import select
import shutil
import subprocess
import sys
import time


class BrowserError(Exception):
    pass


def find_chromium():
    for name in ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome"):
        path = shutil.which(name)
        if path:
            return path
    return None


class Browser:
    """One page. Commands wait for their answers; what the page complains of is kept in `complaints`."""

    def __init__(self, chromium, directory, seconds=60):
        self.seconds = seconds
        self.complaints = []
        self._buffer = b""
        self._number = 0
        self._session = None
        self._is_loaded = False
        self._log = open(os.path.join(directory, "browser.log"), "wb")
        ours, theirs = zip(os.pipe()[::-1], os.pipe())
        self._output, self._input = ours
        # Above what the browser wants them to be, so that neither takes the other's place.
        to_browser, from_browser = (fcntl.fcntl(end, fcntl.F_DUPFD, 10) for end in theirs)
        command = [chromium, "--headless", "--remote-debugging-pipe", "--no-sandbox", "--disable-gpu",
                   "--disable-dev-shm-usage", "--no-first-run", "--disable-extensions", "--mute-audio",
                   "--disable-background-networking", "--no-proxy-server",
                   f"--user-data-dir={os.path.join(directory, 'browser')}", "about:blank"]
        starter = "import os, sys; os.dup2(int(sys.argv[1]), 3); os.dup2(int(sys.argv[2]), 4); " \
            "os.execv(sys.argv[3], sys.argv[3:])"
        self._process = subprocess.Popen(
            [sys.executable, "-c", starter, str(to_browser), str(from_browser), *command],
            pass_fds=(to_browser, from_browser), stdin=subprocess.DEVNULL, stdout=self._log, stderr=self._log,
            start_new_session=True)
        for end in (to_browser, from_browser, *theirs):
            os.close(end)

    def __enter__(self):
        try:
            targets = self._call("Target.getTargets")["targetInfos"]
            page = next((each["targetId"] for each in targets if each["type"] == "page"), None) \
                or self._call("Target.createTarget", url="about:blank")["targetId"]
            self._session = self._call("Target.attachToTarget", targetId=page, flatten=True)["sessionId"]
            for domain in ("Page", "Runtime", "Log"):
                self._call(f"{domain}.enable")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for end in (self._input, self._output):
            os.close(end)
        self._log.close()

    def open(self, address):
        self._is_loaded = False
        failure = self._call("Page.navigate", url=address).get("errorText")
        if failure:
            raise BrowserError(f"{address}: {failure}")
        end = time.monotonic() + self.seconds
        while not self._is_loaded:
            self._note(self._read(end))

    def resize(self, width, height, is_mobile=False):
        self._call("Emulation.setDeviceMetricsOverride", width=width, height=height, mobile=is_mobile,
                   deviceScaleFactor=2 if is_mobile else 1)

    def set_scheme(self, scheme):
        self._call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

    def evaluate(self, expression, may_fail=False):
        answer = self._call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer and not may_fail:
            raise BrowserError(f"{expression}: {answer['exceptionDetails']}")
        return answer["result"].get("value")

    def wait(self, condition, seconds=None):
        """Until the condition is true."""
        end = time.monotonic() + (seconds or self.seconds)
        while not self.evaluate(condition):
            if time.monotonic() > end:
                raise BrowserError(f"waited in vain for {condition}; the page says: "
                                   + repr(self.evaluate("document.body.innerText"))[:2000])
            time.sleep(0.1)

    def press(self, key):
        details = {"key": key, "code": key, "windowsVirtualKeyCode": {"Tab": 9, "Enter": 13}[key]}
        if key == "Enter":
            details["text"] = "\r"
        self._call("Input.dispatchKeyEvent", type="keyDown", **details)
        self._call("Input.dispatchKeyEvent", type="keyUp", **details)

    def screenshot(self, path):
        """The whole page, also what is below the window."""
        size = self._call("Page.getLayoutMetrics")["cssContentSize"]
        picture = self._call("Page.captureScreenshot", captureBeyondViewport=True,
                             clip={"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1})
        with open(path, "wb") as file:
            file.write(base64.b64decode(picture["data"]))

    def _call(self, method, **parameters):
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        self._write(json.dumps(message).encode() + b"\0")
        end = time.monotonic() + self.seconds
        while True:
            answer = self._read(end)
            if answer.get("id") != self._number:
                self._note(answer)
            elif "error" in answer:
                raise BrowserError(f"{method}: {answer['error']['message']}")
            else:
                return answer["result"]

    def _note(self, event):
        method, parameters = event.get("method"), event.get("params", {})
        if method == "Page.loadEventFired":
            self._is_loaded = True
        elif method == "Runtime.exceptionThrown":
            self.complaints.append(json.dumps(parameters["exceptionDetails"]))
        elif method == "Log.entryAdded" and parameters["entry"]["level"] == "error":
            self.complaints.append(parameters["entry"]["text"])

    def _write(self, data):
        try:
            while data:
                data = data[os.write(self._output, data):]
        except BrokenPipeError as error:
            raise BrowserError("the browser has ended") from error

    def _read(self, end):
        while b"\0" not in self._buffer:
            left = end - time.monotonic()
            if left <= 0 or not select.select([self._input], [], [], left)[0]:
                raise BrowserError(f"the browser says nothing for {self.seconds} s")
            data = os.read(self._input, 1 << 20)
            if not data:
                raise BrowserError("the browser has ended")
            self._buffer += data
        message, _, self._buffer = self._buffer.partition(b"\0")
        return json.loads(message)
