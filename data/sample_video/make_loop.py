"""Draws the loop that cameras of the demo show, and packs it as HLS: run by hand (needs ffmpeg), its result is kept.

    python -m data.sample_video.make_loop

A junction seen from above at dusk: two cars, one walker, a traffic light. One fragmented MP4 that the playlist cuts by
byte ranges: browsers that play no HLS play the same file whole.
"""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path
from typing import Final

from PIL import Image, ImageDraw

FOLDER: Final = Path(__file__).parent
SIZE: Final = (480, 270)
RATE: Final = 12
SECONDS: Final = 12
ROAD: Final = 74

ASPHALT, GROUND, LINE, KERB = (46, 49, 54), (62, 74, 62), (206, 204, 190), (92, 96, 100)


def frame(t: float) -> Image.Image:
    """The picture at second t; t and t + SECONDS are the same."""
    width, height = SIZE
    picture = Image.new("RGB", SIZE, GROUND)
    draw = ImageDraw.Draw(picture)
    x, y = width * 0.56, height * 0.52
    for box in ((0, y - ROAD / 2, width, y + ROAD / 2), (x - ROAD / 2, 0, x + ROAD / 2, height)):
        draw.rectangle(box, ASPHALT, KERB, 2)
    draw.rectangle((x - ROAD / 2, y - ROAD / 2, x + ROAD / 2, y + ROAD / 2), ASPHALT)
    for n in range(0, width, 26):
        if abs(n + 7 - x) > ROAD / 2 + 14:
            draw.rectangle((n, y - 1, n + 14, y + 1), LINE)
    for n in range(5):
        at = x - ROAD / 2 - 18
        draw.rectangle((at, y - ROAD / 2 + 6 + n * 14, at + 10, y - ROAD / 2 + 13 + n * 14), LINE)
    green = t % SECONDS < SECONDS / 2
    draw.ellipse((x + ROAD / 2 + 8, y - ROAD / 2 - 18, x + ROAD / 2 + 18, y - ROAD / 2 - 8),
                 (70, 190, 110) if green else (205, 66, 58))  # fmt: skip
    _car(draw, -50 + (width + 100) * (t / (SECONDS / 2)), y + ROAD / 4, (178, 184, 190), along=True)
    late = (t - SECONDS / 2) / (SECONDS / 2)
    _car(draw, x - ROAD / 4, -50 + (height + 100) * late, (150, 62, 54), along=False)
    step = t / SECONDS * 2 * math.pi
    walker = (x - ROAD / 2 - 40 + 26 * math.cos(step), y - ROAD / 2 - 26 + 10 * math.sin(step))
    draw.ellipse((walker[0] - 4, walker[1] - 4, walker[0] + 4, walker[1] + 4), (226, 190, 140))
    draw.rectangle((10, height - 26, 10 + 120 * (t % SECONDS) / SECONDS, height - 20), LINE)
    return picture


def _car(draw: ImageDraw.ImageDraw, x: float, y: float, colour: tuple[int, int, int], *, along: bool) -> None:
    long, wide = (22, 11) if along else (11, 22)
    draw.rounded_rectangle((x - long, y - wide, x + long, y + wide), 5, colour)
    draw.rectangle((x - long / 2, y - wide / 2, x + long / 2, y + wide / 2), (28, 32, 38))


def make(folder: Path = FOLDER) -> None:
    """Write loop.m3u8 and loop.mp4."""
    command = [
        "ffmpeg", "-hide_banner", "-loglevel", "error", "-y", "-f", "rawvideo", "-pix_fmt", "rgb24",
        "-s", f"{SIZE[0]}x{SIZE[1]}", "-r", str(RATE), "-i", "-", "-c:v", "libx264", "-profile:v", "main",
        "-pix_fmt", "yuv420p", "-crf", "27", "-preset", "veryslow", "-g", str(RATE * 3), "-keyint_min", str(RATE * 3),
        "-sc_threshold", "0", "-map_metadata", "-1", "-fflags", "+bitexact", "-flags:v", "+bitexact",
        "-f", "hls", "-hls_time", "3", "-hls_playlist_type", "vod", "-hls_segment_type", "fmp4",
        "-hls_flags", "single_file", "-hls_segment_filename", "loop.mp4", "loop.m3u8",
    ]  # fmt: skip
    frames = b"".join(frame(n / RATE).tobytes() for n in range(RATE * SECONDS))
    subprocess.run(command, cwd=folder, input=frames, check=True)


if __name__ == "__main__":
    make()
    sys.stdout.write(
        ", ".join(f"{p.name} {p.stat().st_size} bytes" for p in sorted(FOLDER.glob("loop.*"))) + "\n"
    )
