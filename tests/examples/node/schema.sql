CREATE SCHEMA tree;
CREATE TABLE tree.node (
    id integer PRIMARY KEY, name text NOT NULL, parent_id integer REFERENCES tree.node,
    updated_at timestamp NOT NULL DEFAULT (now() AT TIME ZONE 'UTC')
);
CREATE INDEX ON tree.node (parent_id);

INSERT INTO tree.node VALUES
    (1, 'root', NULL), (2, 'left', 1), (3, 'right', 1), (4, 'left of left', 2), (5, 'leaf', 4), (6, 'alone', NULL);
