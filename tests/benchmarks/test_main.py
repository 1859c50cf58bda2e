"""`python -m benchmarks`: what it lists, refuses and runs, and how it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from benchmarks import __main__ as program
from benchmarks import _peers

ROOT = Path(__file__).parents[2]


def ended(monkeypatch, *arguments):
    """The exit code."""
    monkeypatch.setattr(sys, "argv", ["benchmarks", *arguments])
    try:
        return program.main()
    except SystemExit as error:
        return error.code


def test_help_lists_the_benchmarks_and_how_long_they_take(monkeypatch, capsys):
    assert ended(monkeypatch, "--help") == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "a quarter of an hour" in text
    assert "fooling_quality" in text
    assert "judges" not in text


def test_only_what_measures_is_listed():
    names = program.names()
    assert {"speed", "atlas", "questions", "unit_cards"} <= set(names)
    helpers = {"judges", "recipe_loops", "planted_photos", "captum_tcav", "concept_oracles"}
    assert not {*helpers, *program.RENDERERS} & set(names)
    commands = [*program.plan(quick=True), *program.plan(quick=False)]
    assert {command[0] for command in commands} <= {*names, *program.RENDERERS}
    assert set(_peers.PEERS_OF) <= set(names)


@pytest.mark.parametrize("arguments", [["judges"], ["nothing"], ["--fast"], ["--quick", "speed"]])
def test_what_is_no_benchmark_is_refused(arguments, monkeypatch, capsys):
    monkeypatch.setattr(program, "run", lambda command: pytest.fail("it ran"))
    assert ended(monkeypatch, *arguments) == 2
    assert arguments[-1] in capsys.readouterr().err


@pytest.mark.parametrize(
    ("codes", "expected", "message"),
    [
        ([-9, 0, 0], 1, "first (killed by SIGKILL)"),
        ([0, 3, -15], 1, "second (exit code 3), third (killed by SIGTERM)"),
        ([0, 0, 0], 0, ""),
        ([0, 130, 0], 130, ""),
    ],
)
def test_one_that_fails_or_is_killed_is_a_failure(codes, expected, message, monkeypatch, capsys):
    commands = [["first"], ["second"], ["third"]]
    left = iter(codes)
    monkeypatch.setattr(program, "plan", lambda quick: commands)
    monkeypatch.setattr(program, "run", lambda command: next(left))
    assert ended(monkeypatch) == expected
    error = capsys.readouterr().err
    assert message in error
    assert bool(error) == bool(message)
    # After Ctrl-C nothing else runs.
    assert len(list(left)) == (1 if expected == 130 else 0)


def test_a_quick_run_writes_beside_the_documentation(monkeypatch, tmp_path):
    monkeypatch.setattr(program, "PHOTOS", tmp_path)
    commands = program.plan(quick=True)
    assert len(commands) == 4
    places = [
        word for command in commands for word in command if "/" in word and word != str(tmp_path)
    ]
    assert places
    assert all(place.startswith("build/") for place in places)


def test_a_missing_package_is_one_sentence_before_the_work(monkeypatch, capsys):
    monkeypatch.setattr(program, "run", lambda command: pytest.fail("it ran"))
    monkeypatch.setattr(program, "plan", lambda quick: [["fooling_quality"], ["audit"]])
    monkeypatch.setattr(_peers, "find_spec", lambda module: None)
    assert ended(monkeypatch) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert error.startswith("fooling_quality needs foolbox, which is not installed; `make bench`")


def test_ctrl_c_is_one_sentence(tmp_path):
    """The program and the benchmark get the signal, as from a terminal."""
    package = tmp_path / "benchmarks"
    package.mkdir()
    for name in ("__main__", "_peers", "_single"):
        (package / f"{name}.py").write_text((ROOT / "benchmarks" / f"{name}.py").read_text())
    (package / "sleepy.py").write_text(
        textwrap.dedent(
            """
            import time

            if __name__ == "__main__":
                print("ready", flush=True)
                time.sleep(60)
            """
        )
    )
    child = subprocess.Popen(
        [sys.executable, "-m", "benchmarks", "sleepy"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "== sleepy\n"
    assert child.stdout.readline() == "ready\n"
    os.killpg(child.pid, signal.SIGINT)
    _, error = child.communicate(timeout=30)
    assert child.returncode == program.STOPPED
    assert error == (
        "Stopped sleepy; what it had finished is written, everything else is as it was.\n"
    )
