"""What the documentation names is there: links lead somewhere, options are the command's, examples run."""

import re
import shlex
import subprocess
from pathlib import Path

import pytest
from conftest import ROOT

GUIDES = ["README.md", "python/README.md", "datasets/README.md", "train/README.md"]
FIGURES = ["bench/results/README.md", "bench/results/evidence/README.md"]
PAGES = [*GUIDES, *FIGURES, "CONTRIBUTING.md", "CHANGELOG.md"]


def anchors(page: Path) -> set[str]:
    """The names by which GitHub links to the headings of a page."""
    titles = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def code_blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", (ROOT / page).read_text(), re.MULTILINE | re.DOTALL)


def calls_of_kith(page: str) -> list[list[str]]:
    """The words of every `kith COMMAND ...` in the shell blocks of a page."""
    lines = "".join(code_blocks(page, "sh")).replace("\\\n", " ").splitlines()
    return [words[1:] for words in map(shlex.split, lines) if words and words[0] == "kith"]


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page):
    links = re.findall(r"\]\(([^)\s]+)\)", (ROOT / page).read_text())
    missing = []
    for link in links:
        if link.startswith("https://"):
            continue
        path, _, anchor = link.partition("#")
        target = (ROOT / page).parent / path if path else ROOT / page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            missing.append(link)
    assert not missing


@pytest.mark.parametrize("page", GUIDES)
def test_options_are_those_of_the_command(command, page):
    unknown = []
    for name, *words in calls_of_kith(page):
        usage = subprocess.run([command, name, "--help"], check=True, capture_output=True, text=True).stdout
        known = set(re.findall(r"(?<![\w-])--?[a-z][a-z-]*", usage))
        unknown += [f"{name} {word}" for word in words if re.match(r"--?[a-z]", word) and word not in known]
    assert not unknown


def test_the_shown_commands_and_loops_run(command, tmp_path, monkeypatch):
    """What README.md shows after `./check`, as pasted, on a smaller graph."""
    monkeypatch.chdir(tmp_path)
    shown = [words for words in calls_of_kith("README.md") if "demo.kith.h5" in words]
    assert [words[0] for words in shown] == ["generate", "info", "train", "train", "train", "predict"]
    smaller = {"20000": "2000", "400000": "20000", "80": "20"}
    for words in shown:
        if words[0] == "generate":
            words = [smaller.get(word, word) for word in words]
        subprocess.run([command, *words], check=True, capture_output=True)
    (loop,) = (code for code in code_blocks("README.md", "python") if "kith.Dataset.open" in code)
    exec(compile(loop, "README.md", "exec"), {})
