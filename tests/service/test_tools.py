"""Tools give agents what the library and the records give, over stdio and by the official client."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from mcp import Client, StdioServerParameters

from stan.library import Library
from stan.service.tools import tools
from tests.support.made_up_runs import write_study
from tests.support.small_clips import write_clip

READING = ["compare", "library", "moments", "published", "recognise", "runs", "search", "similar", "videos"]


def asked(server: Any, *calls: tuple[str, dict]) -> list[Any]:
    """Each call's answer, or the words of its error."""

    async def ask() -> list[Any]:
        async with Client(server) as client:
            replies = [await client.call_tool(name, given) for name, given in calls]
        return [reply.content[0].text if reply.is_error else reply.structured_content for reply in replies]

    return asyncio.run(ask())


@pytest.fixture
def server(library_calls, runs_root):
    return tools(lambda: library_calls, runs_root)


def listed(server: Any) -> dict[str, Any]:
    async def ask():
        async with Client(server) as client:
            return (await client.list_tools()).tools

    return {tool.name: tool for tool in asyncio.run(ask())}


def test_only_reading_is_offered_unless_told(library_calls, runs_root):
    found = listed(tools(lambda: library_calls, runs_root))
    assert sorted(found) == READING
    assert all(tool.annotations.read_only_hint and tool.description for tool in found.values())
    writing = listed(tools(lambda: library_calls, runs_root, write=True))
    assert sorted(writing) == sorted([*READING, "index"]) and not writing["index"].annotations.read_only_hint


def test_the_list_of_tools_does_not_wait_for_the_library(runs_root):
    def never():
        raise AssertionError("it is opened when it is needed")

    assert sorted(listed(tools(never, runs_root))) == READING


def test_searches_are_the_librarys(server, library):
    red = library.entries()[2].id
    about, found, moments, similar, recognised = asked(
        server,
        ("library", {}),
        ("search", {"query": "a red square", "top": 2}),
        ("moments", {"query": "a red square", "folder": "videos/below"}),
        ("similar", {"to": red}),
        ("recognise", {"video": red, "labels": ["red", "blue"]}),
    )
    assert about["videos"] == 3
    expected = library.search("a red square", 2)
    assert [(one["id"], one["score"]) for one in found["results"]] == [
        (one["id"], one["score"]) for one in expected
    ]
    assert "curve" not in found["results"][0] and found["no_match"] == expected.no_match
    assert [one["name"] for one in moments["moments"]] == ["below/blue.mp4"]
    assert red not in [one["id"] for one in similar["results"]]
    assert {one["label"] for one in recognised["labels"]} == {"red", "blue"}


def test_records_are_listed_and_compared(server, runs_root):
    write_study(runs_root, rows=("baseline", "stan"), seeds=(0, 1))
    runs, change, printed = asked(
        server,
        ("runs", {"study": "components", "shipped": False}),
        ("compare", {"a": "baseline", "b": "components/stan", "shipped": False}),
        ("published", {"table": "ablation_components"}),
    )
    assert runs["total"] == 4 and {one["headline"] for one in runs["runs"]} == {"t2v.R@1"}
    assert change["interval"][0] <= change["change"] <= change["interval"][1] and change["queries"] == 80
    assert 46.9 in [item["value"] for item in printed["numbers"]]


def test_errors_are_words_for_the_agent(server, runs_root):
    replies = asked(
        server,
        ("search", {"query": "a - a"}),
        ("search", {"query": "a", "folder": "/etc"}),
        ("similar", {"to": "0" * 16}),
        ("compare", {"a": "nothing", "b": "stan"}),
        ("published", {"table": "nothing"}),
        ("search", {"query": "a", "top": 1000}),
    )
    words = (
        *("cancel each other out", "lies in a folder", "has no video", "no done run 'nothing'"),
        *("no printed table", "top"),
    )
    assert all(word in reply for word, reply in zip(words, replies, strict=True)), replies
    assert not any(str(runs_root.parent) in reply for reply in replies)


def test_a_library_that_cannot_be_opened_is_told(runs_root):
    def gone():
        raise ValueError("there is no library here: make one")

    (reply,) = asked(tools(gone, runs_root), ("search", {"query": "a"}))
    assert reply.endswith("there is no library here: make one")


def test_a_folder_is_indexed_if_the_server_may_write(library_calls, runs_root):
    writing = tools(lambda: library_calls, runs_root, write=True)
    report, refused = asked(writing, ("index", {"folder": "videos"}), ("index", {"folder": "/etc"}))
    assert report["unchanged"] == 3 and "none of the folders" in refused


@pytest.mark.slow
def test_the_official_client_speaks_with_it_over_stdio(tmp_path):
    videos = tmp_path / "videos"
    videos.mkdir()
    write_clip(videos / "red.mp4")
    Library(tmp_path / "library").add(videos)
    words = ["-m", "stan", "mcp", "--library", tmp_path / "library", "--runs", tmp_path / "runs"]
    server = StdioServerParameters(
        command=sys.executable,
        args=[str(word) for word in [*words, "--write", "--allow-folders", videos]],
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    assert sorted(listed(server)) == sorted([*READING, "index"])
    found, indexed = asked(server, ("search", {"query": "a red square"}), ("index", {"folder": "videos"}))
    assert [one["name"] for one in found["results"]] == ["red.mp4"] and indexed["unchanged"] == 1
    assert str(tmp_path) not in json.dumps([found, indexed])
