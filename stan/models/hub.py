"""A model's name on Hugging Face's hub in, its file of weights out; and weights with a card in, a commit there out.

Only safetensors are read and written. HF_ENDPOINT and HF_TOKEN are huggingface_hub's own.
"""

from __future__ import annotations

import copy
import re
import socket
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies

from torch import Tensor

from stan.models.checkpoint import CHECKPOINT, save

PREFIX = "hf:"
CARD = "README.md"
_NAME = re.compile(r"hf:([\w.-]+/[\w.-]+)(?:@(.+))?")


def fetched(name: str, file: str) -> Path:
    """Return the local copy of a file of `hf:USER/NAME` or `hf:USER/NAME@REVISION` (a branch, tag or commit).

    What was fetched before is not fetched again, nor asked for where there is no network. Raises ValueError with what
    to do if it cannot be had.
    """
    from huggingface_hub import hf_hub_download

    found = _NAME.fullmatch(name)
    if found is None:
        raise ValueError(f"{name!r} names no model on the hub: write hf:USER/NAME or hf:USER/NAME@REVISION")
    repository, revision = found.groups()
    with (
        _told(repository, f"fetch {file} of {repository}", revision, file),
        cached_alone_without_network(),
    ):
        return Path(hf_hub_download(repository, file, revision=revision))


@contextmanager
def cached_alone_without_network() -> Generator[None]:
    """Let huggingface_hub only look into its cache while its host has no address: it would try again for a minute."""
    from huggingface_hub import constants

    known, host = constants.HF_HUB_OFFLINE, urlsplit(constants.ENDPOINT).hostname
    constants.HF_HUB_OFFLINE = known or not (
        getproxies() or _has_address(host)
    )  # a proxy looks hosts up itself
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = known


def _has_address(host: str | None) -> bool:
    try:
        return bool(socket.getaddrinfo(host, None))
    except OSError:
        return False


def push(
    repository: str,
    state: Mapping[str, Tensor],
    metadata: Mapping[str, Any],
    card: str,
    private: bool = False,
) -> str:
    """Write weights and card as one commit, into a new repository if there is none, and return the commit's address.

    The place of the data on this machine is left out. Raises ValueError with what to do if the hub doesn't take it;
    then nothing is written but, at most, an empty repository.
    """
    from huggingface_hub import CommitOperationAdd, HfApi

    with TemporaryDirectory() as folder, _told(repository, f"push to {repository}"):
        weights = Path(folder) / CHECKPOINT
        save(weights, state, _without_place(metadata))
        api = HfApi(library_name="stan-video")
        api.create_repo(repository, private=private, exist_ok=True)
        files = [CommitOperationAdd(CARD, card.encode()), CommitOperationAdd(CHECKPOINT, weights)]
        return api.create_commit(repository, files, commit_message="Weights and card").commit_url


def _without_place(metadata: Mapping[str, Any]) -> dict[str, Any]:
    kept = copy.deepcopy(dict(metadata))
    if "experiment" in kept:
        kept["experiment"]["data"]["root"] = None
    return kept


@contextmanager
def _told(repository: str, task: str, revision: str | None = None, file: str = "") -> Generator[None]:
    """Turn the errors of huggingface_hub's client into a ValueError with what to do."""
    from huggingface_hub import errors
    from huggingface_hub.constants import ENDPOINT
    from huggingface_hub.utils import HFValidationError

    try:
        yield
    except HFValidationError as error:
        raise ValueError(f"{repository!r} is no name on the hub ({error}): write USER/NAME") from error
    except errors.GatedRepoError as error:
        raise ValueError(
            f"{repository} is gated: ask for access at {ENDPOINT}/{repository}, then log in (`hf auth login`)"
        ) from error
    except errors.RepositoryNotFoundError as error:
        raise ValueError(
            f"there is no {repository} at {ENDPOINT}, or it is private: check the name, and log in if it is yours"
            " (`hf auth login`)"
        ) from error
    except errors.RevisionNotFoundError as error:
        raise ValueError(f"{repository} has no revision {revision}: name a branch, tag or commit") from error
    except errors.RemoteEntryNotFoundError as error:
        raise ValueError(f"{repository} holds no {file}: it is no model that `stan push` wrote") from error
    except errors.LocalEntryNotFoundError as error:
        raise ValueError(
            f"could not {task}: {ENDPOINT} cannot be reached, and it was not fetched before"
        ) from error
    except errors.HfHubHTTPError as error:
        raise ValueError(f"could not {task}: {_refusal(error)}") from error
    except (errors.HTTPError, OSError) as error:  # no connection: huggingface_hub passes on httpx's errors
        raise ValueError(f"could not {task} at {ENDPOINT}: {type(error).__name__}: {error}") from error


def _refusal(error: Any) -> str:
    status = error.response.status_code
    if status in (401, 403):
        return f"you may not ({status}): log in with a token that may write (`hf auth login`)"
    return f"the hub answers {status} ({error.server_message or error.response.reason_phrase})"
