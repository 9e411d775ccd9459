"""Folders are indexed one after the other; their progress is told as it goes, and ends with the service."""

from __future__ import annotations

import json
import shutil
import threading

import pytest

from stan.library import Library
from stan.library.roots import Roots
from stan.service.calls import LibraryCalls
from stan.service.jobs import Jobs
from stan.service.lanes import TooMany
from tests.service.test_refusals import eventually
from tests.support.small_clips import write_clip

REPORT = {"indexed": 2, "unchanged": 0, "removed": 0, "skipped": [], "seconds": 0.1, "seconds_waiting": 0.0}


def events(reply) -> list[dict]:
    assert reply.headers["content-type"].startswith("text/event-stream")
    return [
        json.loads(line.removeprefix("data: ")) for line in reply.text.splitlines() if line.startswith("data")
    ]


def test_a_folder_is_indexed_and_found(client, library, folder, tmp_path):
    videos = shutil.copytree(folder, tmp_path / "videos")
    (videos / "broken.mp4").write_text("no video")
    calls = LibraryCalls(Library(tmp_path / "library", library.model), Roots({"mine": videos}))
    api = client(calls)
    assert api.post("/v1/search", json={"query": "a"}).json()["results"] == []
    asked = api.post("/v1/jobs", json={"folder": "mine", "below": "below"})
    assert asked.status_code == 202
    told = events(api.get(f"/v1/jobs/{asked.json()['id']}/events"))
    assert told[-1]["status"] == "done" and told[-1]["report"]["indexed"] == 1
    whole = api.post("/v1/jobs", json={"folder": "mine"}).json()
    done = events(api.get(f"/v1/jobs/{whole['id']}/events"))[-1]
    assert (done["done"], done["total"], done["report"]["unchanged"]) == (4, 4, 1)
    assert [one["file"] for one in done["report"]["skipped"]] == ["broken.mp4"]
    assert str(tmp_path) not in json.dumps(done)
    assert [job["id"] for job in api.get("/v1/jobs").json()["jobs"]] == [whole["id"], asked.json()["id"]]
    assert api.get(f"/v1/jobs/{whole['id']}").json() == done
    assert api.get("/v1/library").json()["videos"] == 3


def test_a_folder_of_hostile_names_is_told_as_it_is_and_no_further(client, library, tmp_path):
    videos = tmp_path / "<b>&{x}"
    videos.mkdir()
    names = ["'; DROP TABLE videos; --.mp4", "<img src=x>.mp4", "line\nbreak.mp4", "\u202egpj.mp4", "%00.mp4"]
    for name in names:
        write_clip(videos / name, frames=4)
    calls = LibraryCalls(Library(tmp_path / "library", library.model), Roots({"hostile": videos}))
    api = client(calls)
    job = api.post("/v1/jobs", json={"folder": "hostile"}).json()
    report = events(api.get(f"/v1/jobs/{job['id']}/events"))[-1]["report"]
    assert (report["indexed"], report["unchanged"]) == (1, 4)  # the same bytes are embedded once
    found = api.post("/v1/search", json={"query": "a", "where": {"folder": "<b>&{x}"}})
    assert sorted(one["name"] for one in found.json()["results"]) == sorted(names)
    listed = api.get("/v1/videos", params={"folder": "<b>&{x}"})
    assert listed.json()["total"] == 5
    assert str(tmp_path) not in found.text + listed.text


def test_another_writer_fails_the_job_in_words(client, library, folder, tmp_path):
    calls = LibraryCalls(Library(tmp_path / "library", library.model), Roots({"videos": folder}))
    api = client(calls)
    with calls.library._store.writing():
        job = api.post("/v1/jobs", json={"folder": "videos"}).json()
        failed = events(api.get(f"/v1/jobs/{job['id']}/events"))[-1]
    assert failed["status"] == "failed" and "another process is indexing into library" in failed["error"]


def test_jobs_run_one_at_a_time_and_only_so_many_wait():
    go, running = threading.Event(), []

    def index(folder, below, progress):
        running.append(folder)
        go.wait(30)
        return REPORT

    jobs = Jobs(index, str, most=2)
    first = jobs.start("a", "")
    assert eventually(lambda: jobs.job(first.id).status == "running")
    others = [jobs.start("b", ""), jobs.start("c", "")]
    with pytest.raises(TooMany):
        jobs.start("d", "")
    assert running == ["a"] and {jobs.job(one.id).status for one in others} == {"waiting"}
    go.set()
    assert eventually(lambda: all(job.ended for job in jobs.all()))
    assert running == ["a", "b", "c"]
    jobs.close()


def test_closing_ends_a_job_before_its_next_video():
    seen, between = [], threading.Event()

    def index(folder, below, progress):
        for i in range(100):
            progress(i, 100, f"{i}.mp4")
            seen.append(i)
            between.set()
            closing.wait(30)
        return REPORT

    closing = threading.Event()
    jobs = Jobs(index, str, most=2)
    job, waiting = jobs.start("a", ""), jobs.start("b", "")
    assert between.wait(30)
    assert jobs.job(job.id).detail == "0.mp4"
    threading.Timer(0.2, closing.set).start()
    jobs.close()
    assert seen == [0] and "goes on from there" in jobs.job(job.id).error
    assert jobs.job(waiting.id).status == "waiting"


def test_ended_jobs_are_forgotten_in_the_end(monkeypatch):
    monkeypatch.setattr("stan.service.jobs.KEPT", 2)
    jobs = Jobs(lambda *_: REPORT, str, most=1)
    ids = []
    for _ in range(5):
        ids.append(jobs.start("a", "").id)
        assert eventually(lambda: jobs.job(ids[-1]).ended)
    assert [job.id for job in jobs.all()] == ids[:1:-1]
    jobs.close()


def test_streams_are_bounded(client, library_calls):
    api = client(library_calls, streams=0)
    job = api.post("/v1/jobs", json={"folder": "videos"}).json()
    assert api.get(f"/v1/jobs/{job['id']}/events").status_code == 429
