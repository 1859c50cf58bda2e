from __future__ import annotations

import posixpath
from collections import defaultdict
from typing import Any

from convscope.atlas.store.store import Part, Store
from convscope.atlas.store.summary import Report, many
from convscope.atlas.store.tables import TABLES, Table, digest, write
from convscope.core.extras import arrow
from convscope.core.progress import track
from convscope.errors import OptionError

MEGABYTE = 1_000_000


def compact(directory: str, *, megabytes: int = 128) -> Report:
    """Merge the many small parts of each layer into few large ones; nothing that is in them
    changes.

    A merged part is written whole before the parts it replaces are deleted. In between, and after a
    kill, rows are there twice but never
    missing: `atlas.open` reads each once, and the next `compact` removes what is left over. Jobs
        inside merged parts are still known, so
    that `build` does not make them again. Parts with failed units stay as they are, to be retried.

    Args:
        directory: the folder or URL it was built into.
        megabytes: how large a merged part may become.

    Raises:
        InputError: there is no atlas, or a part is damaged.
        OutputError: it cannot be written.

    Example:
        atlas.compact("atlas/")
        $ convscope atlas compact atlas/
    """
    if megabytes < 1:
        raise OptionError(f"megabytes must be 1 or more; {megabytes} was given.")
    store = Store(directory, create=False)
    folders: dict[tuple[str, str], list[tuple[Part, dict[str, Any]]]] = defaultdict(list)
    before = 0
    for name in TABLES:
        for part in store.parts(name):
            head = store.head(part)
            before += 1
            if head is not None and not head["failed"]:
                folders[name, posixpath.dirname(part.path)].append((part, head))
    after = before
    for (name, folder), parts in track(sorted(folders.items()), "atlas: folders", len(folders)):
        after -= _left_over(store, parts)
        for group in _groups(parts, megabytes * MEGABYTE):
            _merged(store, TABLES[name], folder, group)
            after -= len(group) - 1
    for name in TABLES:
        store.sweep(name)
    return Report(
        f"{directory}: {many(before, 'part')} became {after:,}.",
        details={"before": before, "after": after},
    )


def _left_over(store: Store, parts: list[tuple[Part, dict[str, Any]]]) -> int:
    """Remove parts whose every job is in a merged one; how many there were."""
    merged = {job["job"] for part, head in parts if part.job is None for job in head["jobs"]}
    gone = [
        (part, head)
        for part, head in parts
        if part.job is not None and {job["job"] for job in head["jobs"]} <= merged
    ]
    for one in gone:
        parts.remove(one)
        store.remove(one[0].path)
    return len(gone)


def _groups(
    parts: list[tuple[Part, dict[str, Any]]], size: int
) -> list[list[tuple[Part, dict[str, Any]]]]:
    """Parts that become one, two or more each, in the order of their units."""
    ordered = sorted(parts, key=lambda one: (one[1]["jobs"][0].get("first", 0), one[0].name))
    groups: list[list[tuple[Part, dict[str, Any]]]] = [[]]
    for one in ordered:
        if groups[-1] and sum(part.size for part, _ in groups[-1]) + one[0].size > size:
            groups.append([])
        groups[-1].append(one)
    return [group for group in groups if len(group) > 1]


def _merged(
    store: Store, table: Table, folder: str, group: list[tuple[Part, dict[str, Any]]]
) -> None:
    """One part out of several, each job once."""
    pa = arrow()
    jobs: dict[str, dict[str, Any]] = {}
    pieces = []
    for part, head in group:
        fresh = {job["job"]: job for job in head["jobs"] if job["job"] not in jobs}
        data = store.read(part)
        if len(fresh) < len(head["jobs"]):
            data = data.filter(
                pa.compute.is_in(data.column("job"), value_set=pa.array(list(fresh), pa.string()))
            )
        jobs |= fresh
        pieces.append(data.replace_schema_metadata(None))
    whole = pa.concat_tables(pieces).combine_chunks()
    name = f"merged-{digest(sorted(jobs))[:32]}.parquet"
    store.write(posixpath.join(folder, name), write(whole, table, list(jobs.values())))
    for part, _ in group:
        if part.name != name:
            store.remove(part.path)
