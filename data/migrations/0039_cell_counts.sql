-- What lies in a grid cell is counted when its card is opened.
CREATE INDEX components_cell ON components (cell);
CREATE INDEX devices_cell ON devices (cell);
CREATE INDEX cameras_cell ON cameras (cell);
CREATE INDEX addresses_cell ON addresses (cell);
CREATE INDEX places_cell ON places (cell);
