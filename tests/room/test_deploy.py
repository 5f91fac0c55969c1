"""What is shipped for servers says what it must; nginx itself is run in test_load."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from mlsysim.learn.room.app import SEAT

DEPLOY = Path(__file__).parent.parent.parent / "deploy"


def test_the_container_runs_as_nobody_in_particular_on_a_python_that_parses_safely():
    text = (DEPLOY / "Containerfile").read_text()
    version = tuple(map(int, re.findall(r"FROM python:(\d+)\.(\d+)", text)[0]))
    assert version >= (3, 13)
    assert text.index("USER learner") < text.index("ENTRYPOINT")
    assert re.search(r"MLSYSIM_HOME=(\S+)", text)[1] in re.findall(r"^VOLUME (\S+)", text, re.M)


def test_both_servers_share_a_volume_and_nginx_keeps_a_learner_with_one():
    services = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]
    assert services["one"] == services["two"]
    assert services["one"]["volumes"] == ["data:/data"]
    settings = (DEPLOY / "nginx.conf").read_text()
    assert f"$cookie_{SEAT}" in settings
    assert re.findall(r"server (\w+):2718;", settings) == ["one", "two"]
    assert "-" not in SEAT  # nginx has no variable for a cookie with a dash
