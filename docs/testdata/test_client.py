import ast
import os
import pathlib
import subprocess

import pytest
import udrm
from udrm import udrm_run  # the fixture

SHOW = ["modetest", "-M", "vkms", "-s", "DP-1:1024x768"]
DP = ["--lenient", "--monitor", "1024x768,DP"]


def test_pictures(udrm_run):
    m = udrm_run(*SHOW, args=DP, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
    m.wait("card0", "DP-1", lit=True, timeout=60)
    shown = m.screenshot("card0", "DP-1")
    assert shown == m.screenshot("card0") and shown.startswith(b"\x89PNG")
    assert m.compare("card0", "DP-1", picture=shown, mask=shown)["equal"]
    m.wait("card0", matches=shown, tolerance=1, timeout=60)
    m.process.communicate(b"\n")
    assert m.process.returncode == 0


def test_cards(udrm_run):
    edid = udrm_run("sh", "-c", "cat /sys/class/drm/card0-DP-1/edid; read line", args=DP, stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE).process.communicate(b"\n")[0]
    m = udrm_run("cat", args=[*DP, "--seat"], stdin=subprocess.PIPE)
    assert m.seat() == {"paused": False, "sessions": []} and m.seat("pause")["paused"]
    assert [c["label"] for c in m.info()["cards"]] == ["card0"]
    assert not m.disconnect("card0", "DP-1")["connectors"][0]["connected"]
    assert m.connect("card0", "DP-1", "Other:800x600")["connectors"][0]["monitor"] == "Other"
    assert m.connect("card0", "DP-1", edid=edid)["connectors"][0]["connected"]
    assert m.connect("card0", "DP-1")["connectors"][0]["connected"]
    added = m.add_connector("card0", "DP", "Hub:800x600")
    assert added in [c["name"] for c in m.card("card0")["connectors"]]
    m.remove_connector("card0", added)
    assert added not in [c["name"] for c in m.card("card0")["connectors"]]
    assert m.unbind("card0")["state"] == "unbound"
    assert m.bind("card0")["state"] == "plugged"
    assert m.unplug("card0")["state"] == "unplugged"
    assert m.plug("card0")["state"] == m.card("card0")["state"] == "plugged"
    for what, code in ((lambda: m.plug("card0"), "refused"), (lambda: m.card("card9"), "not_found"),
                       (lambda: m.connect("card0", "DP-1", edid=b"x"), "bad_request")):
        with pytest.raises(udrm.Error) as error:
            what()
        assert error.value.code == code
    url = m.view()
    assert url.startswith("http://127.0.0.1:")
    m.process.communicate(b"")


def test_events(udrm_run, tmp_path):
    m = udrm_run(*SHOW, "-v", args=DP, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    m.wait("card0", frames=2, timeout=60)
    m.start_trace(tmp_path / "trace.jsonl")
    rule = m.on("MODE_PAGE_FLIP#1:after:delay=1us")["id"]
    assert m.wait_rule(rule, timeout=60)["fired"] == 1
    assert [r["id"] for r in m.rules()] == [rule]
    assert m.remove_rule(rule)["id"] == rule and m.rules() == []
    assert m.fault("ADDFB2#1", "ENOSPC", card="card0")["rule"] == "ADDFB2#1:card=card0:error=ENOSPC"
    assert m.fault("ADDFB2#2", "20ms")["rule"] == "ADDFB2#2:delay=20ms"
    assert m.fault("event#9", "lost")["rule"] == "event#9:lost"
    for record in m.trace():
        if record["type"] == "frame":
            break
    assert m.clock()["mode"] == "real"
    assert m.clock("step")["mode"] == "step"
    m.step_clock(3, timeout=60)
    with pytest.raises(udrm.Timeout):
        m.step_clock(1_000_000, timeout=0)
    assert m.clock("real")["mode"] == "real"
    assert m.stop_trace()["bytes"] > 0
    assert '"frame"' in (tmp_path / "trace.jsonl").read_text()


def test_named():
    for args in (["--name", "testclient"], ["--name=testclient"]):
        with udrm.run("cat", args=args, stdin=subprocess.PIPE) as m:
            assert m.info()["name"] == "testclient"
            m.process.stdin.close()
            m.process.wait(60)


def test_missed_rule():
    with pytest.raises(RuntimeError, match="failed with status 125"):
        with udrm.run("cat", args=["--on", "ADDFB2:unplug"], stdin=subprocess.PIPE, stderr=subprocess.DEVNULL) as m:
            m.process.stdin.close()
    with pytest.raises(ZeroDivisionError):  # an error of the test is more than that
        with udrm.run("cat", args=["--on", "ADDFB2:unplug"], stdin=subprocess.PIPE, stderr=subprocess.DEVNULL) as m:
            m.process.stdin.close()
            1 / 0


def test_crash():
    with pytest.raises(RuntimeError, match="crashed with SIGSEGV"):
        with udrm.run("sh", "-c", "read go; kill -SEGV $$", stdin=subprocess.PIPE) as m:
            m.process.stdin.close()
            os.waitid(os.P_PID, m.process.pid, os.WEXITED | os.WNOWAIT)  # it has ended, and nobody knows how
    with udrm.run("sh", "-c", "read go; kill -SEGV $$", stdin=subprocess.PIPE) as m:
        m.process.stdin.close()
        assert m.process.wait(60) == 139


def test_that_each_method_is_tested():
    tree = ast.parse(pathlib.Path(__file__).read_text())
    used = {n.attr for n in ast.walk(tree) if isinstance(n, ast.Attribute)}
    assert {n for n in vars(udrm.Machine) if not n.startswith("_")} <= used
