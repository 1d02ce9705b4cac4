-- What words of rule sheets mean here: a role (所属街办, 市政维护中心) is these units, each in its area; who keeps a road is
-- told by the class of the road ('' = not of a road).
CREATE TABLE unit_roles (
    role       text NOT NULL CHECK (role <> ''),
    road_class text NOT NULL DEFAULT '',
    area_path  text NOT NULL,
    unit       text NOT NULL REFERENCES units (code),
    PRIMARY KEY (role, road_class, area_path)
);
