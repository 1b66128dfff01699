"""`--html`: one file that needs no network, and what a reader can do with it."""

import importlib
import json
import re
import time
from functools import partial

import numpy as np
import pytest
from browser import chromium, requested

from jaxrd.cli.app import run
from jaxrd.errors import InputError
from jaxrd.report import page


@pytest.fixture(scope="module")
def outputs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("outputs")
    g = np.random.default_rng(0)
    labels, logits = g.integers(0, 4, 400), 2 * g.standard_normal((400, 4))
    logits[np.arange(400), labels] += 4
    np.savez(folder / "<b>x.npz", logits=logits, labels=labels)
    (folder / "codec.csv").write_text("rate_bits,accuracy\n1.5,0.7\n1.9,0.75\n")
    options = ["--at", ".4", "--slopes", "8", "--confidence", ".9", "--codec", str(folder / "codec.csv"), "--no-plot"]
    assert run(["limits", str(folder / "<b>x.npz"), *options, "--html", "--out", str(folder / "out")]) == 0
    return folder / "out"


def test_one_file_of_at_most_two_megabytes(outputs):
    text = (outputs / "limits.html").read_text()
    assert len(text.encode()) <= 2_000_000
    assert re.search('<(script|link)[^>]* (src|href)="(?!data:)', text) is None
    assert "<b>x" not in text  # names are escaped
    document = json.loads((outputs / "limits.json").read_text())
    assert "limits.html" in document["files"]
    assert document["meta"]["sha256"] in text


def test_without_the_option_there_is_none(tmp_path):
    np.savez(tmp_path / "p.npz", source=[0.5, 0.5], distortion=1 - np.eye(2))
    command = ["sweep", str(tmp_path / "p.npz"), "--slopes", "4", "--no-plot", "--out", str(tmp_path / "out")]
    assert run(command) == 0
    assert not (tmp_path / "out" / "sweep.html").exists()
    assert run([*command, "--html"]) == 0
    assert b"p.npz: sweep" in (tmp_path / "out" / "sweep.html").read_bytes()


def test_rdc(tmp_path):
    label = np.array([[0.9, 0.1], [0.1, 0.9]])
    np.savez(tmp_path / "p.npz", source=[0.7, 0.3], distortion=1 - np.eye(2), labels=label)
    options = ["--surface", "3", "--at", "0.1,0.6", "--no-plot", "--html", "--out", str(tmp_path / "out")]
    assert run(["rdc", str(tmp_path / "p.npz"), *options]) == 0
    assert b"asked for" in (tmp_path / "out" / "rdc.html").read_bytes()


def test_decisions_and_gaussian_sources_have_a_page(tmp_path):
    """Regression: curves that decisions do not have, and a source without letters, ended in a traceback."""
    np.savez(tmp_path / "d.npz", predictions=[0, 1, 1, 0, 2, 2], labels=[0, 1, 0, 0, 2, 1])
    assert run(["limits", str(tmp_path / "d.npz"), "--no-plot", "--html", "--out", str(tmp_path / "out")]) == 0
    np.savez(tmp_path / "g.npz", covariance=np.eye(2), direction=[1.0, -1.0], noise_variance=0.2)
    options = ["--surface", "2", "--no-plot", "--html", "--out", str(tmp_path / "gaussian")]
    assert run(["rdc", str(tmp_path / "g.npz"), *options]) == 0
    assert b"a Gaussian source of 2 dimensions" in (tmp_path / "gaussian" / "rdc.html").read_bytes()


def test_blocks_receivers_and_bands_are_drawn(outputs, tmp_path):
    np.savez(tmp_path / "p.npz", source=[0.89, 0.11], distortion=1 - np.eye(2))
    options = ["--slopes", "4", "--at", ".05", "--block", "10", "--excess", ".1", "--no-plot", "--html"]
    assert run(["sweep", str(tmp_path / "p.npz"), *options, "--out", str(tmp_path / "out")]) == 0
    text = (tmp_path / "out" / "sweep.html").read_text()
    assert "blocks of n letters: proved bounds" in text
    assert "4 of 4 points within the tolerance asked for" in text
    file = str(outputs.parent / "<b>x.npz")
    options = ["--known", file, "--slopes", "4", "--at", ".4", "--no-plot", "--html", "--out", str(tmp_path / "known")]
    assert run(["limits", file, *options]) == 0
    assert "TMRD, receiver known" in (tmp_path / "known" / "limits.html").read_text()
    assert re.search("90%, (bootstrap|CLT)", (outputs / "limits.html").read_text())


def test_points_that_did_not_converge_are_marked(outputs):
    document = json.loads((outputs / "limits.json").read_text())
    assert b"TMRD: not converged" not in page(document)
    document["curves"]["TMRD"]["status"][2] = "STALLED"
    assert b"TMRD: not converged" in page(document)


def test_what_cannot_be_is_one_line(tmp_path, capsys, monkeypatch):
    assert run(["limits", "a.npz", "b.npz", "--html", "--out", str(tmp_path / "out")]) == 2
    assert "--html makes the page of one model; got 2 files" in capsys.readouterr().err
    assert run(["limits", "a.npz", "--loss", "squared", "--html", "--out", str(tmp_path / "out")]) == 2
    assert "--html has no meaning with --loss squared" in capsys.readouterr().err
    monkeypatch.setattr("jaxrd.report.html.find_spec", lambda _: None)
    assert run(["limits", "--html", "--out", str(tmp_path / "out")]) == 2
    assert capsys.readouterr().err == "jaxrd: --html needs Bokeh: pip install 'jaxrd[report]'.\n"
    assert not (tmp_path / "out").exists()


def test_another_document_has_no_page():
    with pytest.raises(InputError, match=r"there is no page for schema 'jaxrd.tasks/1'"):
        page({"schema": "jaxrd.tasks/1"})


MODELS = "const models = [...Bokeh.documents[0].all_models.values()];"
TABLE = MODELS + "return models.map(m => m.text).find(t => typeof t === 'string' && t.includes('<th>bits'));"
WANTED = MODELS + "const wanted = models.find(m => m.name === 'wanted');"
SHOWN = (
    MODELS + "return models.filter(m => m.type === 'GlyphRenderer' && (m.data_source.data.name || [])[0] === 'TMRD')"
)
DEEP = """
const every = []; const walk = n => { if (n.shadowRoot) walk(n.shadowRoot); for (const c of n.children || []) walk(c);
every.push(n); }; walk(document.body); """
LABEL = DEEP + "return every.find(n => /bk-item/.test(n.className) && n.textContent === 'TMRD');"
TOOLTIP = DEEP + "return every.filter(n => /tooltip/i.test(n.className)).map(n => n.innerText).join(' ');"
PLACE = (
    MODELS
    + """
const view = Bokeh.index.find_one(models.find(m => m.type === 'Figure'));
const box = view.canvas_view.el.getBoundingClientRect();
return [box.x + view.frame.x_scale.compute(arguments[0]), box.y + view.frame.y_scale.compute(arguments[1])];"""
)


@pytest.mark.slow
def test_in_a_browser(outputs, tmp_path):
    """Values under the pointer, curves off and on, the slider; no network, no console error, a narrow window."""
    document = json.loads((outputs / "limits.json").read_text())
    (row,), curve = document["at"], document["curves"]["TMRD"]
    with chromium(tmp_path / "profile") as browser:
        browser.get((outputs / "limits.html").as_uri())
        ask = browser.execute_script
        pointer = partial(importlib.import_module("selenium.webdriver").ActionChains, browser)
        until(lambda: ask("return Boolean(window.Bokeh && Bokeh.documents[0] && Bokeh.documents[0].is_idle)"))
        until(lambda: f"{row['TMRD']:.4f}" in ask(TABLE))  # at the accuracy that was asked for
        ask(WANTED + "wanted.value = 50.0;")
        assert f"{row['TMRD']:.4f}" not in ask(TABLE)
        ask(WANTED + "wanted.value = wanted.start;")
        assert "0.0000" in ask(TABLE)

        assert ask(SHOWN + ".every(m => m.visible);")
        pointer().move_to_element(ask(LABEL)).click().perform()
        until(lambda: not ask(SHOWN + ".some(m => m.visible);"))
        pointer().move_to_element(ask(LABEL)).click().perform()
        until(lambda: ask(SHOWN + ".every(m => m.visible);"))

        middle = len(curve["rate_bits"]) // 2
        x, y = ask(PLACE, curve["distortion"][middle], curve["rate_bits"][middle])
        browser.execute_cdp_cmd("Input.dispatchMouseEvent", {"type": "mouseMoved", "x": x, "y": y})
        until(lambda: "TMRD" in ask(TOOLTIP))
        assert f"{curve['rate_bits'][middle]:.4f} bits" in ask(TOOLTIP)
        assert f"{100 * curve['accuracy'][middle]:.2f} %" in ask(TOOLTIP)

        browser.set_window_size(500, 900)
        until(lambda: ask("return document.documentElement.scrollWidth <= window.innerWidth + 1;"))
        assert [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"] == []
        assert [url for url in requested(browser) if url.startswith(("http", "ws"))] == []


def until(holds):
    """Wait until it does, for at most ten seconds."""
    end = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.05)
