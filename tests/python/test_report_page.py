"""`python -m kith.report`: the page it writes, as a parser and as a browser see it."""

import html
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser

import kith.report
import pytest
from conftest import kith_environment
from kith.report.__main__ import main
from kith.report.chart import log_ticks, round_ticks
from report_sweeps import RANDOM, Effect, Sweep, knobs, rival, typical, write_sweep, write_table

VOID = {"meta", "link", "br"}
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
GRAPH = "arxiv <b>&\"'"  # a name that has to be escaped


class Page(HTMLParser):
    """Checks that every element is closed where it should be, and collects what a test asks for."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.open, self.elements, self.text = [], [], ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" not in self.open:
            self.text += data + " "

    def count(self, tag, **attributes):
        return sum(
            name == tag and all(found.get(key) == value for key, value in attributes.items())
            for name, found in self.elements
        )


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("sweep")
    write_sweep(path, typical(GRAPH), typical("cora", model="gcn", seeds=(0,), num_nodes=3000))
    return path


@pytest.fixture(scope="module")
def page(folder):
    return kith.report.render_page(kith.report.summarize(kith.report.load(folder)))


def test_the_page_is_whole(page):
    parsed = Page(page)
    assert parsed.count("section") == 3 and parsed.count("table") == 4 and parsed.count("figure") == 8
    assert parsed.count("svg", role="img") == 8
    for words in ("mix 0.125, p 0.9", "dependency, K 64", GRAPH, "How it is computed", "One seed"):
        assert words in parsed.text
    assert not re.search(r"\b(nan|inf|None)\b", parsed.text)


def test_ids_are_unique_and_links_lead_to_them(page):
    elements = Page(page).elements
    ids = [attributes["id"] for _, attributes in elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    links = [attributes["href"] for tag, attributes in elements if tag == "a"]
    used = links + [f"#{name}" for name in re.findall(r"url\(#([^)]+)\)", page)]
    assert links and {name.removeprefix("#") for name in used} <= set(ids)


def test_nothing_is_loaded_and_nothing_runs(page):
    parsed = Page(page)
    assert "http" not in page and "@import" not in page
    assert re.findall(r"url\((?!#)", page) == []
    assert parsed.count("script") == 0 and parsed.count("img") == 0
    for tag, attributes in parsed.elements:
        assert not any(name.startswith("on") or name == "src" for name in attributes)
        if tag == "link":
            assert attributes["href"] == "data:,"


def test_numbers_of_the_drawings_are_finite(page):
    for drawing in re.findall(r"<svg class=\"chart\".*?</svg>", page, re.DOTALL):
        coordinates = re.findall(r'(?:[xy][12]?|[cr][xy]?|d|width|height)="([^"]*)"', drawing)
        assert coordinates
        assert not any("nan" in value or "inf" in value for value in coordinates)
        assert not any(value.startswith("-") for value in re.findall(r'(?:width|height)="([^"]*)"', drawing))


def test_figures_hold_every_configuration(folder, page):
    (first, _) = kith.report.summarize(kith.report.load(folder)).sections
    section = page.split('<section id="section-')[1]
    scatter = section.split('<svg class="chart"')[1].split("</svg>")[0]
    marks = len(re.findall(r"<g><(?:circle|rect|path)", scatter))
    assert marks == len(first.rows) + 1
    assert len(re.findall(r'class="name"', section)) == len(first.rows) + 1


def test_results_without_validation_leave_out_the_curves(tmp_path):
    rows = write_sweep(tmp_path, Sweep(effects=[RANDOM, Effect(knobs(0.125, 0.9), 2)]))
    for row in rows:
        path = tmp_path / row["file"]
        path.write_text(re.sub(r'"valid_accuracy": [^,]*', '"valid_accuracy": null', path.read_text()))
        row["best_valid"] = 0
    write_table(tmp_path, rows)
    parsed = Page(kith.report.render_page(kith.report.summarize(kith.report.load(tmp_path))))
    assert parsed.count("figure") == 3


def test_one_run_is_enough_for_a_page(tmp_path):
    write_sweep(tmp_path, Sweep(effects=[RANDOM], seeds=(4,), epochs=1))
    Page(kith.report.render_page(kith.report.summarize(kith.report.load(tmp_path))))


@pytest.mark.parametrize("bounds", [(0, 1), (68.93, 69.11), (-3, 12000), (1e-5, 3e-5)])
def test_ticks_are_round_few_and_inside(bounds):
    ticks = round_ticks(*bounds, 6)
    assert 2 <= len(ticks) <= 6
    assert bounds[0] <= ticks[0] * (1 + 1e-9) and ticks[-1] <= bounds[1] * (1 + 1e-9)


@pytest.mark.parametrize("bounds", [(3, 900), (0.02, 0.3), (5, 40000), (41, 49), (1e-3, 1e9)])
def test_ticks_of_a_logarithmic_axis_are_inside(bounds):
    ticks = log_ticks(*bounds, 6)
    assert len(ticks) >= 2 and all(bounds[0] <= tick <= bounds[1] for tick in ticks)


# --- the command


def run(*arguments):
    command = [sys.executable, "-m", "kith.report", *map(str, arguments)]
    return subprocess.run(command, env=kith_environment(), capture_output=True, text=True, check=False)


def test_the_command_writes_into_the_sweeps_folder(tmp_path):
    write_sweep(tmp_path, Sweep(effects=[RANDOM, Effect(knobs(0.125, 0.9), 2)]))
    result = run(tmp_path, "--time", "cpu")
    assert (result.returncode, result.stdout) == (0, "")
    assert result.stderr == f"wrote {tmp_path}/report.html\n"
    assert "CPU time" in (tmp_path / "report.html").read_text()
    assert not (tmp_path / "report.html.tmp").exists()


def test_a_usage_error_is_1_and_bad_input_2(tmp_path, capsys):
    for arguments in ([], ["x", "--time", "sun"], ["x", "--tolerance", "much"]):
        with pytest.raises(SystemExit) as stopped:
            main(arguments)
        assert stopped.value.code == 1
    capsys.readouterr()
    write_sweep(tmp_path, Sweep(effects=[RANDOM]))
    for arguments in (
        ["none"],
        [str(tmp_path), "--config", "mox=1"],
        [str(tmp_path), "-o", "no_folder/r.html"],
        [str(tmp_path), "-o", str(tmp_path)],
        [str(tmp_path), "--tolerance", "-1"],
        [str(tmp_path), str(tmp_path)],
    ):
        assert main(arguments) == 2
        captured = capsys.readouterr()
        assert captured.out == "" and re.fullmatch(r"error: [^\n]+\n", captured.err)


def test_an_empty_sweep_says_so(tmp_path):
    (tmp_path / "results.csv").write_text("")
    result = run(tmp_path)
    assert result.returncode == 2 and result.stderr.startswith(
        f"error: {tmp_path}/results.csv: no column graph"
    )
    assert len(result.stderr.splitlines()) == 1


def test_pictures_need_matplotlib(tmp_path, capsys, monkeypatch):
    write_sweep(tmp_path, Sweep(effects=[RANDOM]))
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert main([str(tmp_path), "--png"]) == 3
    assert "pip install matplotlib" in capsys.readouterr().err
    assert not (tmp_path / "report.html").exists()


def test_pictures_are_written_beside_the_page(tmp_path):
    pytest.importorskip("matplotlib")
    effects = [RANDOM, Effect(knobs(0.125, 0.9), 2), Effect(rival("full"), 0.1)]
    write_sweep(tmp_path, Sweep("a/b", effects=effects, noise_points=1, noise_time=0.1))
    assert main([str(tmp_path), "-o", str(tmp_path / "r.html"), "--png"]) == 0
    pictures = sorted(path.name for path in tmp_path.glob("*.png"))
    assert pictures == [f"r-a-b-sage-{name}.png" for name in ("curves", "nodes", "split", "time")]
    for name in pictures:
        assert (tmp_path / name).read_bytes().startswith(b"\x89PNG")


# --- a browser


@pytest.fixture(scope="module")
def browser():
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        pytest.skip(f"no browser here ({', '.join(BROWSERS)})")
    return path


@pytest.mark.parametrize("width", [320, 390, 1200])
@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_a_browser_shows_the_page_without_scrolling_sideways(browser, page, tmp_path, width, scheme):
    # A frame has the width of a phone; a window of a headless browser may not get so narrow. Blink: 0 is dark.
    style = f"border:0;width:{width}px;height:900px"
    frame = f'<iframe id="page" style="{style}" srcdoc="{html.escape(page)}"></iframe>'
    script = """<script>
      onload = () => {
        const page = document.getElementById("page").contentDocument;
        const style = page.defaultView.getComputedStyle(page.body);
        const count = (selector, test) => [...page.querySelectorAll(selector)].filter(test).length;
        document.title = [
          page.documentElement.scrollWidth,
          count("svg.chart", (chart) => chart.getBoundingClientRect().height > 80),
          count(".scroll", (box) => box.scrollWidth > box.clientWidth),
          style.backgroundColor,
        ].join(";");
      };
    </script>"""
    (tmp_path / "frame.html").write_text(f"<!DOCTYPE html><title></title>{frame}{script}")
    options = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--enable-logging=stderr",
        f"--user-data-dir={tmp_path}/b",
    ]
    options += [
        f"--blink-settings=preferredColorScheme={0 if scheme == 'dark' else 1}",
        "--window-size=1300,1000",
    ]
    command = [browser, *options, "--dump-dom", f"file://{tmp_path}/frame.html"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert result.returncode == 0, result.stderr[-500:]
    assert [line for line in result.stderr.splitlines() if "CONSOLE" in line] == []
    scroll_width, charts, wide, background = re.search("<title>(.*?)</title>", result.stdout)[1].split(";")
    assert int(scroll_width) <= width and int(charts) == 8
    assert int(wide) > 0 or width > 1000  # tables that are too wide for a phone scroll inside themselves
    assert background == ("rgb(21, 24, 27)" if scheme == "dark" else "rgb(255, 255, 255)")
