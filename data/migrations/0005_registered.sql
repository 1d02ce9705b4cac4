-- Since when a device is known: nothing is expected of it before.
ALTER TABLE devices ADD COLUMN registered_at timestamptz NOT NULL DEFAULT now();
