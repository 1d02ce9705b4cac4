"""Boundaries out of a file that a city brings: GeoJSON, or a Shapefile in a ZIP.

What comes out is features with their properties as text, in degrees of the coordinate system that the caller names. Rules:

 names      a Shapefile's texts are in the encoding of its .cpg file, without one in GB 18030 (which holds GBK)
 projected  a Shapefile whose .prj tells a projection (CGCS2000 in zones, UTM) comes out in degrees of its own datum
 datums     WGS 84 and CGCS2000 only: the parameters of 北京54 and 西安80 are not public, a city transforms those itself
 GCJ-02     no .prj can tell it: such files say WGS 84, the caller knows better; a projected one is refused
 size       at most MAX_BYTES as sent, MAX_UNPACKED unpacked, MAX_FEATURES features
"""

from __future__ import annotations

import io
import json
import lzma
import math
import tempfile
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Final

import geopandas
import pyogrio.errors
import shapely
from pyproj import CRS
from pyproj.exceptions import CRSError
from shapely.geometry.base import BaseGeometry

from data.sheets import BadFile

MAX_BYTES: Final = 64_000_000
MAX_UNPACKED: Final = 400_000_000
MAX_FEATURES: Final = 100_000
SHORTENED: Final = 200
"""Characters of a property that are kept."""

CRS_OF: Final[Mapping[str, str]] = {"wgs84": "EPSG:4326", "cgcs2000": "EPSG:4490", "gcj02": "GCJ-02"}
"""What a person calls it → the name that gis.crs knows."""
DATUMS: Final = ("World Geodetic System 1984", "China 2000", "China Geodetic Coordinate System 2000")
_PARTS: Final = (".shp", ".shx", ".dbf", ".prj", ".cpg")
_GEOJSON_CRS: Final = ("CRS84", "4326", "4490")


@dataclass(frozen=True, slots=True)
class Feature:
    """One feature: its number in the file (1 …), its properties as text, its shape or why there is none."""

    number: int
    properties: Mapping[str, str]
    shape: BaseGeometry | None
    why: str = ""


def read_features(content: bytes, filename: str, crs: str) -> list[Feature]:
    """The features of a file; `crs` is a key of CRS_OF. Raises BadFile."""
    if crs not in CRS_OF:
        raise BadFile(
            f"crs={crs!r}: must be one of {', '.join(CRS_OF)}", f"坐标系须为 {'、'.join(CRS_OF)} 之一"
        )
    if len(content) > MAX_BYTES:
        raise BadFile(f"must be at most {MAX_BYTES} bytes", f"不得超过 {MAX_BYTES} 字节")
    found = _shapefile(content, crs) if content.startswith(b"PK\x03\x04") else _geojson(content, filename)
    if not found:
        raise BadFile("holds no feature", "文件中没有要素")
    if len(found) > MAX_FEATURES:
        raise BadFile(f"must hold at most {MAX_FEATURES} features", f"要素不得超过 {MAX_FEATURES} 个")
    return found


def _geojson(content: bytes, filename: str) -> list[Feature]:
    try:
        told = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise BadFile(
            f"{filename}: must be GeoJSON or a ZIP with a Shapefile: {error}",
            "须为 GeoJSON 或 ZIP 打包的 Shapefile",
        ) from None
    if not isinstance(told, dict) or told.get("type") != "FeatureCollection":
        raise BadFile("type: must be FeatureCollection", "type 须为 FeatureCollection")
    named = told.get("crs")
    if named is not None and not any(name in json.dumps(named) for name in _GEOJSON_CRS):
        raise BadFile(
            f"crs={json.dumps(named)[:100]}: GeoJSON must be in degrees (EPSG:4326 or EPSG:4490)",
            "GeoJSON 坐标须为经纬度（EPSG:4326 或 EPSG:4490）",
        )
    features = told.get("features")
    if not isinstance(features, list):
        raise BadFile("features: must be a list", "features 须为列表")
    if len(features) > MAX_FEATURES:
        raise BadFile(f"must hold at most {MAX_FEATURES} features", f"要素不得超过 {MAX_FEATURES} 个")
    return [_feature(number, one) for number, one in enumerate(features, 1)]


def _feature(number: int, told: Any) -> Feature:
    properties = told.get("properties") if isinstance(told, dict) else None
    texts = {str(k): _text(v) for k, v in properties.items()} if isinstance(properties, dict) else {}
    if not isinstance(told, dict) or not isinstance(told.get("geometry"), dict):
        return Feature(number, texts, None, "must have a geometry")
    try:
        shape = shapely.from_geojson(json.dumps(told["geometry"]))
    except (shapely.GEOSException, ValueError, RecursionError) as error:
        return Feature(number, texts, None, f"must be a GeoJSON geometry: {error}")
    return Feature(number, texts, shape)


def _text(value: Any) -> str:
    """A property as text. An area within it (GeoMap's parent) is its code; a number without decimals has none."""
    if isinstance(value, Mapping):
        value = value.get("adcode", value.get("code", ""))
    if value is None or isinstance(value, float) and not math.isfinite(value):
        return ""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, str | int | float):
        return ""
    return str(value).strip().replace("\x00", "")[:SHORTENED]


def _shapefile(content: bytes, crs: str) -> list[Feature]:
    with tempfile.TemporaryDirectory(prefix="chengyun-boundaries-") as folder:
        path, encoding = _unpacked(content, Path(folder))
        try:
            frame = geopandas.read_file(path, engine="pyogrio", encoding=encoding)
        except (pyogrio.errors.DataSourceError, pyogrio.errors.DataLayerError, ValueError) as error:
            raise BadFile(f"{path.name}: cannot be read: {error}", f"{path.name}：无法读取") from None
    frame = _in_degrees(frame, crs)
    shapes = list(frame.geometry)
    columns = [str(name) for name in frame.columns if name != frame.geometry.name]
    return [
        Feature(
            number,
            {name: _text(value) for name, value in zip(columns, values, strict=True)},
            shape,
            "" if shape is not None else "must have a geometry",
        )
        for number, (shape, values) in enumerate(
            zip(shapes, frame[columns].itertuples(index=False, name=None), strict=True), 1
        )
    ]


def _in_degrees(frame: Any, crs: str) -> Any:
    known = frame.crs
    if known is None:
        return frame  # no .prj: what the caller says is all there is
    told = CRS.from_user_input(known)
    datum = (told.geodetic_crs or told).datum
    name = datum.name if datum is not None else "unknown"
    if not any(one in name for one in DATUMS):
        raise BadFile(
            f".prj: datum {name!r}: must be WGS 84 or CGCS2000; transform the file before",
            f".prj 的基准面为“{name}”：须为 WGS84 或 CGCS2000，请先自行转换",
        )
    if not told.is_projected:
        return frame
    if crs == "gcj02":
        raise BadFile(
            f".prj: {told.name!r} is projected: GCJ-02 knows degrees only",
            ".prj 为投影坐标：GCJ-02 只有经纬度",
        )
    try:
        return frame.to_crs(told.geodetic_crs)
    except CRSError as error:
        raise BadFile(f".prj: {error}", ".prj 无法解析") from None


def _unpacked(content: bytes, folder: Path) -> tuple[Path, str | None]:
    """The Shapefile of a ZIP, in `folder` under a name of ours, and the encoding of its texts; None: its .cpg says it."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            entries = {
                PurePosixPath(i.filename): i
                for i in archive.infolist()
                if not i.filename.startswith("__MACOSX")
            }
            shps = [path for path in entries if path.suffix.lower() == ".shp"]
            if len(shps) != 1:
                raise BadFile(
                    f"the ZIP must hold one .shp, holds {len(shps)}",
                    f"ZIP 中须有且只有一个 .shp，现有 {len(shps)} 个",
                )
            parts = {
                path.suffix.lower(): info
                for path, info in entries.items()
                if path.with_suffix("") == shps[0].with_suffix("") and path.suffix.lower() in _PARTS
            }
            for needed in (".shx", ".dbf"):
                if needed not in parts:
                    raise BadFile(f"the ZIP holds no {needed} beside {shps[0].name}", f"ZIP 中缺少 {needed}")
            left = MAX_UNPACKED
            for suffix, info in parts.items():
                with archive.open(info) as packed, (folder / f"boundaries{suffix}").open("wb") as out:
                    while chunk := packed.read(1 << 20):
                        left -= len(chunk)
                        if left < 0:
                            raise BadFile(
                                f"the ZIP must unpack to at most {MAX_UNPACKED} bytes",
                                f"ZIP 解包后不得超过 {MAX_UNPACKED} 字节",
                            )
                        out.write(chunk)
    except (
        zipfile.BadZipFile, zlib.error, lzma.LZMAError, OSError, NotImplementedError, RuntimeError, EOFError
    ) as error:  # fmt: skip
        raise BadFile(f"the ZIP cannot be unpacked: {error}", "ZIP 无法解包") from None
    return folder / "boundaries.shp", None if ".cpg" in parts else "gb18030"
