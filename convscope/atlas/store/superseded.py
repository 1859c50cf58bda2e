"""Removing rows that newer ones replace."""

from __future__ import annotations

import posixpath
from collections import defaultdict
from collections.abc import Collection, Sequence

from convscope.atlas.store.parts import PartHeader, digest, encode_table
from convscope.atlas.store.rows import Columns
from convscope.atlas.store.store import Part, Store
from convscope.atlas.store.tables import Table
from convscope.core.extras import arrow

RowKey = tuple[object, ...]


def remove_superseded(
    store: Store,
    table: Table[Columns],
    folder: str,
    jobs: Collection[str],
    only_where_differs: Sequence[str] = (),
) -> None:
    """Remove the other jobs whose every row tells of the same thing as a row of `jobs`: it is equal
    in the table's identity. These have been written with other labels, say, and a reader could not
    tell which are right. With `only_where_differs`, only jobs with another value in one of these
    columns.

    Rows are removed after the new ones are there, so that a kill loses none.
    """
    current: dict[RowKey, object] = {}
    others: dict[str, list[tuple[RowKey, object]]] = defaultdict(list)
    parts: list[tuple[Part, PartHeader]] = []
    columns = list(dict.fromkeys([*table.identity, "job", *only_where_differs]))
    for part in store.parts(table.name, folder):
        header = store.header(part)
        if header is None:
            continue
        parts.append((part, header))
        for row in store.read(part, columns).to_pylist():
            key = tuple(row[name] for name in table.identity)
            value = [row[name] for name in only_where_differs]
            if row["job"] in jobs:
                current[key] = value
            else:
                others[row["job"]].append((key, value))
    superseded = {
        job
        for job, rows in others.items()
        if all(key in current for key, _ in rows)
        and (not only_where_differs or any(value != current[key] for key, value in rows))
    }
    for part, header in parts:
        if not superseded.isdisjoint(header.job_hashes):
            _remove_jobs(store, table, part, header, superseded)


def _remove_jobs(
    store: Store, table: Table[Columns], part: Part, header: PartHeader, jobs: Collection[str]
) -> None:
    """Remove some jobs' rows from a part; a merged one is written anew without them."""
    kept = [job for job in header.jobs if job["job"] not in jobs]
    if kept:
        pa = arrow()
        data = store.read(part)
        wanted = pa.array([job["job"] for job in kept], pa.string())
        data = data.filter(pa.compute.is_in(data.column("job"), value_set=wanted))
        name = f"merged-{digest(sorted(job['job'] for job in kept))[:32]}.parquet"
        path = posixpath.join(posixpath.dirname(part.path), name)
        store.write(path, encode_table(data.combine_chunks(), table, kept))
    store.remove(part.path)
