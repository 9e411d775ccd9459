"""A library and a folder of runs in; tools for editors and agents out, which speak the Model Context Protocol.

Annotations are not postponed here: the protocol's library evaluates them, and makes the tools' schemas of them.
"""

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Annotated, Any

from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import ToolAnnotations
from pydantic import Field

from stan.common.json_values import plain
from stan.service import questions as q
from stan.service.calls import LibraryCalls

MOST_RUNS = 200
"""Runs that one answer lists."""
READS = ToolAnnotations(read_only_hint=True, open_world_hint=False)
WRITES = ToolAnnotations(
    read_only_hint=False, destructive_hint=False, idempotent_hint=True, open_world_hint=False
)
INSTRUCTIONS = (
    "Search a library of indexed videos by a sentence, recognise labels in them, and read the records of experiments"
    " that compare temporal methods over CLIP. Times are in seconds. Videos are named by ids, which `search`, `moments`"
    " and `videos` tell. A search tells `no_match` where nothing fits better than unrelated sentences do by chance."
)
"""What an agent is told of the tools at first."""

Study = Annotated[str | None, Field(description="Only this study, such as components.")]
Suite = Annotated[str | None, Field(description="Only this suite, such as retrieval or motions.")]
Row = Annotated[str, Field(description="A run's id, STUDY/ROW, or a row, as `runs` tells them.")]


def tools(calls: Callable[[], LibraryCalls], runs: Path, write: bool = False) -> MCPServer:
    """Return a server of tools that only read, and of `index`, too, if it may `write`.

    calls: opens the library when a tool first needs it, because an editor waits for the list of tools at its start.
    """
    server = MCPServer("stan", instructions=INSTRUCTIONS, log_level="WARNING")
    _add_library(server, calls)
    _add_records(server, runs)
    if write:
        _add_index(server, calls)
    return server


def _told(
    calls: Callable[[], LibraryCalls] | None = None,
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return a decorator that makes errors which the caller can mend messages for the agent, and values plain."""

    def decorate(tool: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(tool)
        def told(*given: Any, **named: Any) -> Any:
            try:
                return plain(tool(*given, **named))
            except (ValueError, OSError) as error:
                raise ToolError(_words(calls, error)) from error

        return told

    return decorate


def _words(calls: Callable[[], LibraryCalls] | None, error: Exception) -> str:
    try:
        return calls().told(error) if calls else str(error)
    except ValueError:  # it is the library that cannot be opened
        return str(error)


def _add_library(server: MCPServer, calls: Callable[[], LibraryCalls]) -> None:
    told = _told(calls)

    @server.tool(annotations=READS)
    @told
    def library() -> dict[str, Any]:
        """Tell what the library is: its model, the number of its videos, and its folders."""
        return calls().about()

    @server.tool(annotations=READS)
    @told
    def videos(
        first: Annotated[int, Field(ge=0)] = 0, count: Annotated[int, Field(ge=1, le=200)] = 50
    ) -> dict[str, Any]:
        """List the library's videos, sorted by folder and name."""
        return calls().videos(first, count)

    @server.tool(annotations=READS)
    @told
    def search(
        query: q.Query, top: q.Top = 5, gain: q.Gain = 1.0, folder: q.Text | None = None
    ) -> dict[str, Any]:
        """Find the videos that fit a sentence best, each with the moment that fits best.

        The folder limits the search to one that `library` names.
        """
        return _short(calls().search(query, top, gain, {"folder": folder}))

    @server.tool(annotations=READS)
    @told
    def moments(query: q.Query, top: q.Top = 5, folder: q.Text | None = None) -> dict[str, Any]:
        """Find the moments, of any videos, that fit a sentence best; none overlaps another."""
        return calls().moments(query, top, where={"folder": folder})

    @server.tool(annotations=READS)
    @told
    def similar(to: q.Id, top: q.Top = 5) -> dict[str, Any]:
        """Find the videos most like one of the library."""
        return _short(calls().similar(to, top))

    @server.tool(annotations=READS)
    @told
    def recognise(
        video: q.Id,
        labels: q.Labels | None = None,
        label_set: q.Text | None = None,
        top: q.Top = 5,
    ) -> dict[str, Any]:
        """Tell how likely each label is for a video, and whether none fits.

        The label set is kinetics-400, something-something-v2 or motions.
        """
        return calls().recognise(video, labels or (), label_set, top)


def _short(found: dict[str, Any]) -> dict[str, Any]:
    """Leave out the curves of scores over time, which are long, and told by the moments."""
    return found | {
        "results": [{name: one[name] for name in one if name != "curve"} for one in found["results"]]
    }


def _add_records(server: MCPServer, root: Path) -> None:
    told = _told()

    @server.tool(annotations=READS)
    @told
    def runs(
        study: Study = None,
        suite: Suite = None,
        status: Annotated[str | None, Field(description="done, running or failed.")] = None,
        shipped: Annotated[bool, Field(description="Also the runs that come with the package.")] = True,
    ) -> dict[str, Any]:
        """List the records of runs, with their status and their most important metric."""
        from stan.results.listing import listed
        from stan.results.record import flatten

        wanted = {"study": study, "suite": suite, "status": status}
        found = [
            {
                name: one[name]
                for name in ("id", "study", "row", "suite", "size", "backbone", "seed", "status", "headline")
            }
            | {"value": flatten(one["metrics"]).get(one["headline"])}
            for one in listed(root, shipped, wanted)
        ]
        return {"total": len(found), "runs": found[:MOST_RUNS]}

    @server.tool(annotations=READS)
    @told
    def compare(
        a: Row,
        b: Row,
        metric: Annotated[str | None, Field(description="t2v.R@1, top-1, order.accuracy, ...")] = None,
        study: Study = None,
        suite: Suite = None,
        size: str | None = None,
        shipped: bool = True,
    ) -> dict[str, Any]:
        """Compare two rows or runs over identical queries: the paired change from a to b with its 95 % interval."""
        from stan.results import listing

        done = listing.done(root, shipped, {"study": study, "suite": suite, "size": size})
        found = listing.compared(a, listing.chosen(done, a), b, listing.chosen(done, b), metric)
        return {name: value for name, value in found.items() if name not in ("won_queries", "lost_queries")}

    @server.tool(annotations=READS)
    @told
    def published(
        table: Annotated[str, Field(description="A printed table, such as ablation_components.")],
    ) -> dict[str, Any]:
        """List the numbers that the paper prints in a table, each with the own one if there is any."""
        from stan.report.reproduction import printed

        return {"numbers": printed(root, table)}


def _add_index(server: MCPServer, calls: Callable[[], LibraryCalls]) -> None:
    @server.tool(annotations=WRITES)
    @_told(calls)
    def index(
        folder: Annotated[str, Field(description="One of those that `library` says may be indexed.")],
        below: Annotated[str, Field(description="Only this folder in it.")] = "",
    ) -> dict[str, Any]:
        """Index a folder: new and changed videos are embedded, videos that are gone are dropped."""
        return calls().index(folder, below)
