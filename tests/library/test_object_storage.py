"""Videos on object storage are indexed and played as local ones; what is absent, denied or damaged is one line each.

Served by moto on the loopback address.
"""

import urllib.request

import boto3
import pytest
import s3fs
from moto.server import ThreadedMotoServer

from stan.common import retry
from stan.library import Library
from tests.support.films import Film

pytestmark = pytest.mark.slow
WHO = {"AWS_ACCESS_KEY_ID": "me", "AWS_SECRET_ACCESS_KEY": "a secret", "AWS_DEFAULT_REGION": "us-east-1"}


@pytest.fixture
def bucket(monkeypatch):
    """A bucket `films` on a server of this machine, which s3fs finds by the environment, as a user's own."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    for name, value in (WHO | {"AWS_ENDPOINT_URL": f"http://{host}:{port}"}).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(retry, "PAUSES", (0,))
    s3fs.S3FileSystem.clear_instance_cache()
    made = boto3.resource("s3").create_bucket(Bucket="films")
    yield made
    s3fs.S3FileSystem.clear_instance_cache()
    urllib.request.urlopen(f"http://{host}:{port}/moto-api/reset", data=b"")
    server.stop()


@pytest.fixture
def indexed(tmp_path, bucket):
    """A library of one film on object storage, the list that names it, and the film's bytes."""
    content = Film().write(tmp_path).read_bytes()
    bucket.put_object(Key="a folder/film.mp4", Body=content)
    listed = tmp_path / "list.txt"
    listed.write_text("s3://films/a folder/film.mp4")
    library = Library(tmp_path / "library", "stan-tiny")
    assert library.add(listed)["indexed"] == 1
    return library, listed, content


def skipped(library: Library, listed) -> dict[str, str]:
    return {one["file"]: one["reason"] for one in library.add(listed)["skipped"]}


def let_in(server: str, requests: bytes) -> None:
    """Have the server answer so many requests of whom it doesn't know."""
    address = f"{server}/moto-api/reset-auth"
    urllib.request.urlopen(urllib.request.Request(address, requests, {"Content-Type": "text/plain"}))


def test_a_video_is_indexed_and_played(indexed):
    library, listed, content = indexed
    [entry] = library.entries()
    assert (entry.name, entry.size) == ("film.mp4", len(content))
    with library.file(entry.id) as file:
        assert file.read_bytes() == content
    again = library.add(listed)
    assert (again["indexed"], again["unchanged"], again["skipped"]) == (0, 1, [])


def test_absent_and_damaged_videos_are_one_line_each(indexed, bucket):
    library, listed, content = indexed
    bucket.put_object(Key="damaged.mp4", Body=content[:200])
    with listed.open("a") as file:
        file.write("\ns3://films/damaged.mp4\ns3://films/none.mp4\ns3://elsewhere/film.mp4")
    told = skipped(library, listed)
    assert told["s3://films/none.mp4"] == told["s3://elsewhere/film.mp4"] == "there is no such file"
    assert told.keys() == {f"s3://{name}.mp4" for name in ("films/damaged", "films/none", "elsewhere/film")}
    assert "no video file that can be read" in told["s3://films/damaged.mp4"]
    assert [entry.name for entry in library.entries()] == ["film.mp4"]


def test_a_server_that_denies_access_costs_no_embeddings(indexed, bucket):
    library, listed, _ = indexed
    server = bucket.meta.client.meta.endpoint_url
    let_in(server, b"0")  # from now on, nobody is known
    try:
        [(address, reason)] = skipped(library, listed).items()
        assert address == "s3://films/a folder/film.mp4" and "\n" not in reason
        assert "Forbidden" in reason or "denied" in reason.lower()
        [entry] = library.entries()
        with pytest.raises(ValueError, match="cannot be fetched") as caught, library.file(entry.id):
            pass
        assert "secret" not in str(caught.value) and "127.0.0.1" not in str(caught.value)
    finally:
        let_in(server, b"inf")
