"""The JavaScript that draws the charts, as one text without imports, kept in the user's cache folder.

Bundling takes about 2 s, so it happens once a version: the file's name carries the versions, its first line
the digest of the rest. A file that does not match its digest is bundled again.
"""

from __future__ import annotations

import os
from contextlib import suppress
from functools import cache
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path

import altair
import vl_convert

from firstlight.files import write_whole
from firstlight.refusal import Refused

# Vega-Embed brings Vega, Vega-Lite, tooltips and the interpreter that needs no `eval`.
_SNIPPET = "window.vegaEmbed = vegaEmbed;"


@cache
def chart_library() -> str:
    """Vega-Embed and all that it needs, ready to stand in a <script> element: about 900 kB."""
    kept = _cache_folder() / f"charts-{version('vl-convert-python')}-{_vega_lite_version()}.js"
    with suppress(OSError, UnicodeDecodeError):
        digest, _, bundle = kept.read_bytes().decode("utf-8").partition("\n")
        if digest == _digest(bundle):
            return bundle
    bundle = vl_convert.javascript_bundle(_SNIPPET, _vega_lite_version()).replace("</script", r"<\/script")
    with suppress(Refused):  # a home that cannot be written to costs two seconds a report, nothing else
        write_whole(kept, f"{_digest(bundle)}\n{bundle}")
    return bundle


def _vega_lite_version() -> str:
    """The Vega-Lite that Altair writes for, as major and minor: "6.4"."""
    return ".".join(altair.SCHEMA_VERSION.removeprefix("v").split(".")[:2])


def _cache_folder() -> Path:
    """Where this user's caches lie: XDG_CACHE_HOME where it is set, else ~/.cache."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "firstlight"


def _digest(bundle: str) -> str:
    return f"// sha256 {sha256(_SNIPPET.encode() + bundle.encode()).hexdigest()}"
