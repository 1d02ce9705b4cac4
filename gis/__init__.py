"""Where: geometry, grid cells, coordinates, tiles. No I/O."""
