"""dash-leaflet beside the product's map: a small Dash app with the same devices as GeoJSON on a canvas.

Run by bench `map` with the Python of a venv that has dash-leaflet: `python map_leaflet.py PORT POINTS.json`.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Final

import dash_leaflet
from dash import Dash, html

SCRIPT: Final = """
window.dashExtensions = {default: {dot: (feature, latlng) => {
  window.made = (window.made ?? 0) + 1;
  return L.circleMarker(latlng, {radius: 2, stroke: false, fillOpacity: 1, fillColor: feature.properties.colour});
}}};
const frame = () => new Promise((next) => requestAnimationFrame(next));
const drawn = async () => {  // Leaflet draws its canvas in the frame after the change
  await frame();
  await frame();
  const canvas = document.querySelector('.leaflet-overlay-pane canvas');
  canvas.getContext('2d').getImageData(0, 0, 1, 1);
  return performance.now();
};
const whole = async (points) => {
  while ((window.made ?? 0) < points || !document.querySelector('.leaflet-overlay-pane canvas')) await frame();
  return drawn();
};
window.firstPicture = (async () => {
  const points = await (await fetch('/points.json')).json();
  const features = points.map(([key, lon, lat]) => ({type: 'Feature', geometry: {type: 'Point', coordinates: [lon, lat]}, properties: {key, colour: '#8f98a1'}}));
  const end = await whole(points.length);
  window.bench = {async states(n, colour) {
    const begun = performance.now();
    const next = features.slice();
    for (let i = 0; i < n; i += 1) {
      const at = (i * 37) % next.length;
      next[at] = {...next[at], properties: {...next[at].properties, colour}};
    }
    window.made = 0;
    dash_clientside.set_props('points', {data: {type: 'FeatureCollection', features: next}});
    const script_ms = performance.now() - begun;
    return {script_ms, drawn_ms: await whole(points.length) - begun};
  }};
  return end;
})();
"""


def app(points: list[tuple[str, float, float]]) -> Dash:
    """The page: one dl.Map with one dl.GeoJSON of all devices."""
    page = Dash("leaflet")
    page.index_string = page.index_string.replace("{%scripts%}", "{%scripts%}<script>" + SCRIPT + "</script>")
    features = [
        {
            "type": "Feature",
            "geometry": {"type": "Point", "coordinates": [lon, lat]},
            "properties": {"key": key, "colour": "#8f98a1"},
        }
        for key, lon, lat in points
    ]
    dots = dash_leaflet.GeoJSON(
        id="points",
        data={"type": "FeatureCollection", "features": features},
        pointToLayer={"variable": "dashExtensions.default.dot"},
    )
    size = {"height": "100vh"}
    page.layout = html.Div(
        dash_leaflet.Map([dots], center=[21.9, 113.9], zoom=10, preferCanvas=True, style=size)
    )
    page.server.add_url_rule("/points.json", "points", lambda: json.dumps(points))
    return page


if __name__ == "__main__":
    app(json.loads(Path(sys.argv[2]).read_text())).run(port=int(sys.argv[1]), debug=False)
