"""State files: one JSON object, replaced in one write."""

import json
import os


class Store:
    """A dictionary on disk, or in memory only when there is no path."""

    def __init__(self, path, defaults: dict):
        self.path = path
        self.values = dict(defaults)
        if path and os.path.exists(path):
            with open(path) as file:
                self.values.update(json.load(file))

    def __getitem__(self, key):
        return self.values[key]

    def put(self, **changes) -> None:
        """Changes and writes; when this returns the change is on disk."""
        self.values.update(changes)
        if not self.path:
            return
        os.makedirs(os.path.dirname(self.path) or ".", exist_ok=True)
        fresh = self.path + ".new"
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            json.dump(self.values, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(fresh, self.path)
