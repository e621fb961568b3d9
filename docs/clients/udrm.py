"""Steer the virtual graphics cards of udrm from Python.

This file needs nothing but Python 3.8: copy it to your tests. It speaks HTTP
with JSON to the control socket of "udrm run"; control.openapi.yaml describes
the requests.

    import udrm

    with udrm.run("your-compositor", args=["--monitor", "1920x1080,DP"]) as m:
        m.wait("card0", frames=60)
        m.unplug("card0")

With pytest, put pytest_plugins = ["udrm"] into conftest.py. Tests then have the
fixture udrm_run, which starts programs and ends them after the test.

A program that runs on a machine itself steers it with udrm.Machine().
"""

import base64
import http.client
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import time
import urllib.parse


class Error(Exception):
    """The machine has refused a request.

    code is bad_request, forbidden, not_found, refused, timeout or too_large;
    asked, reason and advice are text.
    """

    def __init__(self, code, asked, reason, advice=""):
        super().__init__(f"{asked}: {reason}" + (f"; {advice}" if advice else ""))
        self.code, self.asked, self.reason, self.advice = code, asked, reason, advice


class Timeout(Error):
    """What wait waited for did not happen in time."""


class _Connection(http.client.HTTPConnection):
    """An HTTP connection over a Unix socket."""

    def __init__(self, path):
        super().__init__("udrm")
        self._path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.connect(self._path)


def _sockets(name):
    """Return the paths where the socket of a machine can be."""
    directories = [f"/tmp/udrm-{os.geteuid()}"]
    if os.environ.get("XDG_RUNTIME_DIR"):
        directories.insert(0, os.path.join(os.environ["XDG_RUNTIME_DIR"], "udrm"))
    return [os.path.join(d, name + ".sock") for d in directories]


class Machine:
    """A running machine.

    Without a path, it is the machine that this program runs on
    ($UDRM_CONTROL). Cards are named by their labels, such as "card0". Methods
    return the card after the action, as a dict, and raise Error.
    """

    def __init__(self, path=None):
        self.path = path or os.environ.get("UDRM_CONTROL")
        if not self.path:
            raise RuntimeError("$UDRM_CONTROL is not set: run this program with udrm run")

    def info(self):
        """Describe the machine and its cards."""
        return self._call("GET", "machine")

    def card(self, card):
        """Describe a card."""
        return self._call("GET", "cards", card)

    def plug(self, card):
        """Plug a card in."""
        return self._call("POST", "cards", card, "plug")

    def unplug(self, card):
        """Pull a card out. Returns when no request is in flight."""
        return self._call("POST", "cards", card, "unplug")

    def bind(self, card):
        """Bind the driver to a card, after unbind."""
        return self._call("POST", "cards", card, "bind")

    def unbind(self, card):
        """Unbind the driver from a card, a planned removal."""
        return self._call("POST", "cards", card, "unbind")

    def connect(self, card, connector, monitor=None, edid=None):
        """Plug a monitor into a connector.

        monitor is written as in udrm run --monitor; edid is the content of an
        EDID. The default is the monitor that the connector is described with.
        """
        body = {"monitor": monitor, "edid": _base64(edid)}
        return self._call("POST", "cards", card, "connectors", connector, "connect", body=body)

    def disconnect(self, card, connector):
        """Pull the monitor out of a connector."""
        return self._call("POST", "cards", card, "connectors", connector, "disconnect")

    def add_connector(self, card, type, monitor=None):
        """Add a connector of a type, such as "DP", and return its name."""
        body = {"type": type}
        if monitor:
            body["monitor"] = monitor
        return self._call("POST", "cards", card, "connectors", body=body)["name"]

    def remove_connector(self, card, connector):
        """Remove a connector that add_connector has added."""
        return self._call("DELETE", "cards", card, "connectors", connector)

    def screenshot(self, card, connector=None):
        """Return what a connector shows, as PNG.

        The default is the only connector that shows a picture.
        """
        query = {"connector": connector} if connector else None
        return self._call("GET", "cards", card, "screenshot", query=query)

    def wait(self, card, connector=None, *, frames=None, lit=None, matches=None,
             tolerance=None, mask=None, timeout=10):
        """Wait until a picture is shown (lit), or a number of frames, or the
        picture of a PNG file (matches). Raises Timeout after timeout seconds.

        matches and mask are names of files, or PNG as bytes.
        """
        return self._call("POST", "cards", card, "wait", body={
            "connector": connector, "frames": frames, "lit": lit, "matches": _base64(matches),
            "tolerance": tolerance, "mask": _base64(mask), "timeout": f"{timeout:.3f}s"})

    def compare(self, card, connector=None, *, picture, tolerance=None, mask=None):
        """Compare what a connector shows with the picture of a PNG file.

        Returns a dict: equal, and if they differ, reason in words and
        difference, a PNG as bytes unless the sizes differ. picture and mask are
        names of files, or PNG as bytes.
        """
        answer = self._call("POST", "cards", card, "compare", body={
            "connector": connector, "picture": _base64(picture),
            "tolerance": tolerance, "mask": _base64(mask)})
        if "difference" in answer:
            answer["difference"] = base64.b64decode(answer["difference"])
        return answer

    def clock(self, mode=None):
        """Tell what makes vblanks happen, or change it: real, step or fast."""
        if mode is None:
            return self._call("GET", "clock")
        return self._call("POST", "clock", body={"mode": mode})

    def seat(self, do=None):
        """Describe the seat of --seat, after it was told to do something: pause,
        resume, revoke or restore."""
        if do is None:
            return self._call("GET", "seat")
        return self._call("POST", "seat", body={"do": do})

    def step_clock(self, steps=1, timeout=10):
        """Let vblanks happen. The mode of the clock must be step. Raises Timeout
        if no program waits for a vblank within timeout seconds."""
        return self._call("POST", "clock", "step", body={"steps": steps, "timeout": f"{timeout:.3f}s"})

    def rules(self):
        """Return the rules that were added and not removed, as dicts."""
        return self._call("GET", "rules")

    def on(self, rule):
        """Do something at a chosen event of the program: rule is written as in
        udrm run --on. Returns the rule; its id is that of the other methods.

        If the rule has not fired when the program ends, udrm run fails.
        """
        return self._call("POST", "rules", body={"rule": rule})

    def fault(self, event, fault, **filters):
        """Make requests fail or wait: fault("ADDFB2#3", "ENOSPC", card="card0").

        fault is what the command udrm fault takes: an error, a time such as
        "20ms", or another effect of udrm run --on such as "lost". filters are
        those of --on. Returns the rule, as on does.
        """
        if re.fullmatch("E[A-Z0-9]+", fault):
            fault = f"error={fault}"
        elif fault[:1].isdigit():
            fault = f"delay={fault}"
        return self.on(":".join([event, *(f"{k}={v}" for k, v in filters.items()), fault]))

    def remove_rule(self, rule):
        """Remove a rule by its id, and wait for its actions to end."""
        return self._call("DELETE", "rules", str(rule))

    def wait_rule(self, rule, timeout=10):
        """Wait until a rule has fired and its actions are done. Raises Timeout
        after timeout seconds."""
        return self._call("POST", "rules", str(rule), "wait", body={"timeout": f"{timeout:.3f}s"})

    def start_trace(self, file):
        """Begin to record a trace into a file."""
        return self._call("POST", "trace", "start", body={"file": os.path.abspath(file)})

    def stop_trace(self, file=None):
        """End a trace, by default the only one. The file is then complete."""
        return self._call("POST", "trace", "stop", body={"file": file and os.path.abspath(file)})

    def trace(self):
        """Yield the records of a trace, as dicts, until the machine ends."""
        connection = _Connection(self.path)
        try:
            connection.request("GET", "/v1/trace")
            response = connection.getresponse()
            if response.status != 200:
                raise Error(**json.loads(response.read()))
            for line in response:
                yield json.loads(line)
        finally:
            connection.close()

    def view(self, address=None):
        """Open the page of udrm view, and return its URL with its token.

        address is one of the loopback interface, such as "127.0.0.1:8080".
        """
        return self._call("POST", "view", body={"address": address})["url"]

    def _call(self, method, *path, query=None, body=None):
        url = "/v1/" + "/".join(urllib.parse.quote(part, safe="") for part in path)
        if query:
            url += "?" + urllib.parse.urlencode(query)
        data = None
        if body is not None:
            data = json.dumps({k: v for k, v in body.items() if v is not None})
        connection = _Connection(self.path)
        try:
            connection.request(method, url, data)
            response = connection.getresponse()
            answer = response.read()
        finally:
            connection.close()
        if response.status != 200:
            error = json.loads(answer)
            raise (Timeout if error["code"] == "timeout" else Error)(**error)
        if response.getheader("Content-Type") == "image/png":
            return answer
        return json.loads(answer)


def _base64(content):
    """Return bytes, or the content of a file, in base64."""
    if content is None:
        return None
    if not isinstance(content, bytes):
        content = pathlib.Path(content).read_bytes()
    return base64.b64encode(content).decode()


# The exit statuses of programs that have crashed.
_CRASHES = {128 + n for n in (signal.SIGILL, signal.SIGTRAP, signal.SIGABRT, signal.SIGBUS,
                              signal.SIGFPE, signal.SIGSEGV, signal.SIGSYS)}


class Run(Machine):
    """A machine that this program has started; see run.

    process is the subprocess.Popen of udrm run. Its exit status is that of the
    program.
    """

    def __init__(self, process, name=None):
        self.process = process
        while process.poll() is None:
            for path in _sockets(name or str(process.pid)):
                super().__init__(path)
                try:
                    if self.info()["pid"] == process.pid:
                        return
                except (ConnectionError, FileNotFoundError):
                    pass  # it does not listen yet
            time.sleep(0.01)
        raise RuntimeError(f"udrm run has ended with status {process.returncode}")

    def end(self, timeout=10):
        """End the program if it still runs, and return its exit status."""
        if self.process.poll() is None:
            self.process.terminate()
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()

    def finish(self):
        """End the program as end does. Raises RuntimeError if udrm run has
        failed: if an action or a rule failed or was missed, or an expectation.
        It does so, too, if the program has crashed and the test has not waited for
        its end, with process.wait or communicate."""
        waited = self.process.returncode is not None
        status = self.end()
        if status == 125:
            raise RuntimeError("udrm run has failed with status 125; its output says why")
        if status in _CRASHES and not waited:
            raise RuntimeError(f"the program has crashed with {signal.Signals(status - 128).name}; "
                               f"if this is right, say so: assert process.wait() == {status}")

    def __enter__(self):
        return self

    def __exit__(self, exception, *_):
        if exception:
            self.end()
        else:
            self.finish()


def run(*program, args=(), **popen):
    """Start a program on virtual cards, and return its machine, a Run.

    args are flags of udrm run; the rest is passed to subprocess.Popen. As a
    context manager, the machine ends the program, and raises RuntimeError if
    udrm run has failed.
    """
    name = None  # of --name
    for flag, value in zip(args, [*args[1:], None]):
        if flag == "--name":
            name = value
        elif flag.startswith("--name="):
            name = flag[len("--name="):]
    return Run(subprocess.Popen(["udrm", "run", *args, "--", *program], **popen), name)


try:
    import pytest
except ImportError:
    pass
else:
    @pytest.fixture
    def udrm_run():
        """Start programs as run does, and finish them after the test."""
        machines = []

        def start(*program, args=(), **popen):
            machines.append(run(*program, args=args, **popen))
            return machines[-1]

        yield start
        try:
            for m in machines:
                m.finish()
        finally:
            for m in machines:
                m.end()
