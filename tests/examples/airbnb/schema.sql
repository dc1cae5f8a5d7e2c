CREATE TABLE "user" (
    id uuid PRIMARY KEY, email text NOT NULL, joined date, changed_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE country (code char(2) PRIMARY KEY, name text NOT NULL);
CREATE TABLE city (id integer PRIMARY KEY, name text NOT NULL, country_code char(2) REFERENCES country);
CREATE TABLE host (id integer PRIMARY KEY, email text NOT NULL, updated_at timestamptz NOT NULL DEFAULT now());
CREATE TABLE place (
    id integer PRIMARY KEY, address text NOT NULL, location point, amenities text[], host_id integer REFERENCES host,
    city_id integer REFERENCES city, updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE booking (
    id integer PRIMARY KEY, user_id uuid REFERENCES "user", place_id integer REFERENCES place, starts date, ends date,
    nightly numeric(8, 2), updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE review (
    id integer PRIMARY KEY, booking_id integer REFERENCES booking ON DELETE CASCADE, body text, stars smallint,
    updated_at timestamptz NOT NULL DEFAULT now()
);

INSERT INTO "user" VALUES
    ('00000000-0000-0000-0000-000000000001', 'ana@example.com', '2020-01-02'),
    ('00000000-0000-0000-0000-000000000002', 'ben@example.com', '2021-03-04');
INSERT INTO country VALUES ('is', 'Iceland'), ('jp', 'Japan');
INSERT INTO city VALUES (1, 'Akureyri', 'is'), (2, 'Kyoto', 'jp');
INSERT INTO host VALUES (1, 'inn@example.com'), (2, 'ryokan@example.com');
INSERT INTO place VALUES
    (1, 'Harbour 1', '(-18.1,65.7)', '{sauna,view}', 1, 1), (2, 'Hill 2', NULL, '{garden}', 2, 2);
INSERT INTO booking VALUES
    (1, '00000000-0000-0000-0000-000000000001', 1, '2024-06-01', '2024-06-05', 120.50),
    (2, '00000000-0000-0000-0000-000000000001', 2, '2024-10-01', '2024-10-03', 90),
    (3, '00000000-0000-0000-0000-000000000002', 2, '2024-11-01', '2024-11-02', 95);
INSERT INTO review VALUES (1, 1, 'Warm.', 5), (2, 3, 'Quiet.', 4);
