"""`update-items`: a bundle with new items, whose texts are encoded and indexed; nothing is learned."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from apps.recommender.settings import DataSettings
from apps.recommender.source import read_catalogue
from tfarch.export.bundle import update_bundle
from tfarch.quiet import quiet, start_tensorflow
from tfarch.runtime.new_items import NewItem, with_items
from tfarch.runtime.recommender import load_recommender


def update_items(bundle: Path, data: DataSettings) -> dict[str, Any]:
    """Writes the bundle again with the items of `data.items`, as safely as at first; tells how many came and how many were there already.

    Raises:
        InputError: the items cannot be read, or there is no text tower.
        BundleError: the bundle is damaged.
    """
    start_tensorflow()
    from tfarch.export.recommender import recommender_files

    recommender, items = load_recommender(bundle), read_catalogue(data)
    columns = zip(items.ids, items.titles, items.texts, items.categories, items.since.tolist(), strict=True)
    with quiet():  # LiteRT tells which delegate it takes
        updated = with_items(recommender, [NewItem(*each) for each in columns])
    had = recommender.bundle
    with tempfile.TemporaryDirectory() as scratch:
        search = "approximate" if "nearest" in had else "auto"
        wanted = {"int8": had["index"] == "int8", "search": search, "tflite": "tflite" in had, "saved_model": "saved_model" in had}
        files, described = recommender_files(updated, Path(scratch), **wanted)
        update_bundle(bundle, described, files, without=[name for name in had["files"] if name.startswith("saved_model/")])
    added = len(updated.ids) - len(recommender.ids)
    return {"bundle": str(bundle), "added": added, "replaced": len(items) - added, "items": len(updated.ids)}
