"""A photo from outside: looked at, made anew, and stripped of what the camera wrote into it."""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass
from typing import Any, Final

from PIL import Image, ImageOps, UnidentifiedImageError
from PIL.ExifTags import GPS, IFD, Base

MAX_BYTES: Final = 10 * 1024 * 1024
MAX_PIXELS: Final = 40_000_000
LONG_SIDE: Final = 2560
_FORMATS: Final = ("JPEG", "PNG", "WEBP")
_BROKEN: Final = (OSError, SyntaxError, ValueError, EOFError, struct.error, IndexError, KeyError, TypeError)
"""What Pillow's decoders raise for files that are no pictures; `OSError` includes truncated ones."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A re-encoded JPEG and what its EXIF said: taken_at (camera's own clock, no zone), lon, lat, camera."""

    content: bytes
    width: int
    height: int
    exif: dict[str, Any]


class BadPicture(ValueError):
    """The upload is no photo that can be taken; `rule` is what it breaks."""

    def __init__(self, found: str, rule: str) -> None:
        super().__init__(f"file={found}: {rule}")
        self.found = found
        self.rule = rule


def remake(upload: bytes) -> Picture:
    """Decode `upload` and encode it anew as JPEG, at most 2560 px on the long side, upright, without metadata.

    Raises BadPicture: too many bytes or pixels, not a JPEG, PNG or WebP, or one that cannot be decoded whole.
    """
    if len(upload) > MAX_BYTES:
        raise BadPicture(f"{len(upload)} bytes", f"must be at most {MAX_BYTES} bytes")
    try:
        with Image.open(io.BytesIO(upload), formats=_FORMATS) as image:
            width, height = image.size
            # The header alone says so: a bomb is refused before a single pixel is decoded.
            if width * height > MAX_PIXELS:
                raise BadPicture(f"{width}×{height} pixels", f"must be at most {MAX_PIXELS} pixels")
            image.verify()
        with Image.open(io.BytesIO(upload), formats=_FORMATS) as image:
            exif = _exif(image)
            if image.format == "JPEG":
                image.draft("RGB", (LONG_SIDE, LONG_SIDE))
            image.load()
            upright = ImageOps.exif_transpose(image)
            flat = _on_white(upright)
            flat.thumbnail((LONG_SIDE, LONG_SIDE), Image.Resampling.LANCZOS)
            out = io.BytesIO()
            flat.save(out, "JPEG", quality=85, optimize=True)
            return Picture(out.getvalue(), flat.width, flat.height, exif)
    except BadPicture:
        raise
    except (UnidentifiedImageError, Image.DecompressionBombError) as error:
        raise BadPicture(
            f"{len(upload)} bytes", f"must be a JPEG, PNG or WebP picture ({type(error).__name__})"
        ) from None
    except _BROKEN as error:
        raise BadPicture(f"{len(upload)} bytes", f"cannot be decoded: {error}") from None


def _on_white(image: Image.Image) -> Image.Image:
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        solid = image.convert("RGBA")
        ground = Image.new("RGBA", solid.size, "white")
        return Image.alpha_composite(ground, solid).convert("RGB")
    return image.convert("RGB")


def _exif(image: Image.Image) -> dict[str, Any]:
    """Time and place of a photo, as far as its EXIF says anything sensible; never raises."""
    found: dict[str, Any] = {}
    try:
        exif = image.getexif()
        taken = exif.get_ifd(IFD.Exif).get(Base.DateTimeOriginal) or exif.get(Base.DateTime)
        gps = exif.get_ifd(IFD.GPSInfo)
        for name, value in (
            ("taken_at", taken),
            ("maker", exif.get(Base.Make)),
            ("camera", exif.get(Base.Model)),
        ):
            if isinstance(value, str) and value.strip("\x00 "):
                found[name] = value.replace("\x00", "").strip()[:80]
        if GPS.GPSLatitude in gps and GPS.GPSLongitude in gps:
            lat = _degrees(gps[GPS.GPSLatitude], gps.get(GPS.GPSLatitudeRef, "N"))
            lon = _degrees(gps[GPS.GPSLongitude], gps.get(GPS.GPSLongitudeRef, "E"))
            if abs(lat) <= 90 and abs(lon) <= 180:
                found |= {"lat": round(lat, 6), "lon": round(lon, 6)}
    except (*_BROKEN, ZeroDivisionError, AttributeError):
        return found
    return found


def _degrees(parts: Any, sign: Any) -> float:
    degrees, minutes, seconds = (float(part) for part in parts)
    value = degrees + minutes / 60 + seconds / 3600
    return -value if str(sign).strip("\x00 ") in ("S", "W") else value
