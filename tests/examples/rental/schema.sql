CREATE SCHEMA catalog;
CREATE SCHEMA store;
CREATE TYPE catalog.grade AS ENUM ('all', 'adult');
CREATE TABLE catalog.language (
    id integer PRIMARY KEY, name char(12) NOT NULL, updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE catalog.film (
    id integer PRIMARY KEY, title text NOT NULL, year smallint, grade catalog.grade, features text[], words tsvector,
    language_id integer REFERENCES catalog.language, last_update timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE catalog.category (id integer PRIMARY KEY, name text NOT NULL, updated_at timestamptz NOT NULL DEFAULT now());
CREATE TABLE catalog.film_category (film_id integer, category_id integer, PRIMARY KEY (film_id, category_id));
CREATE TABLE catalog.actor (
    id integer PRIMARY KEY, first_name text, last_name text, left_at timestamptz,
    updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE catalog.film_actor (
    film_id integer, actor_id integer, updated_at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (film_id, actor_id)
);
CREATE TABLE store.inventory (
    id integer PRIMARY KEY, film_id integer REFERENCES catalog.film, shelf text,
    updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE store.customer (id integer PRIMARY KEY, email text NOT NULL, updated_at timestamptz NOT NULL DEFAULT now());
CREATE TABLE store.rental (
    id integer PRIMARY KEY, inventory_id integer REFERENCES store.inventory,
    customer_id integer REFERENCES store.customer, rented timestamptz NOT NULL, updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE store.payment (
    id integer PRIMARY KEY, rental_id integer REFERENCES store.rental, amount numeric(6, 2), valid boolean NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now()
);

INSERT INTO catalog.language VALUES (1, 'Malti'), (2, 'Suomi');
INSERT INTO catalog.film VALUES
    (1, 'Salt Flats', 1999, 'all', '{trailer}', 'salt flats', 1), (2, 'Long Winter', 2008, 'adult', NULL, NULL, 2),
    (3, 'Unseen', NULL, NULL, NULL, NULL, NULL);
INSERT INTO catalog.category VALUES (1, 'drama'), (2, 'nature');
INSERT INTO catalog.film_category VALUES (1, 1), (1, 2), (2, 1);
INSERT INTO catalog.actor VALUES (1, 'Lina', 'Borg', NULL), (2, 'Eero', 'Salo', NULL), (3, 'Gone', 'Away', '2020-01-01');
INSERT INTO catalog.film_actor VALUES (1, 1), (2, 1), (2, 2), (2, 3);
INSERT INTO store.inventory VALUES (1, 1, 'A'), (2, 1, 'B'), (3, 2, 'A');
INSERT INTO store.customer VALUES (1, 'kim@example.com'), (2, 'lou@example.com');
INSERT INTO store.rental VALUES
    (1, 1, 1, '2024-01-01 00:00+00'), (2, 2, 2, '2024-02-01 00:00+00'), (3, 3, 1, '2024-03-01 00:00+00');
INSERT INTO store.payment VALUES (1, 1, 2.99, true), (2, 2, 3.50, true), (3, 2, 9.99, false), (4, 3, 1.00, true);
