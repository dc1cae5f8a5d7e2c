CREATE TABLE continents (
    code text PRIMARY KEY, name text NOT NULL, updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE countries (
    code text PRIMARY KEY, name text NOT NULL, continent_code text REFERENCES continents,
    updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE cities (
    id integer PRIMARY KEY, name text NOT NULL, country_code text REFERENCES countries,
    updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE publishers (
    id integer PRIMARY KEY, name text NOT NULL, active boolean NOT NULL,
    label text GENERATED ALWAYS AS (name || ' #' || id) STORED,
    updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE authors (
    id integer PRIMARY KEY, name text NOT NULL, born date, city_id integer REFERENCES cities,
    updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE books (
    isbn text PRIMARY KEY, title text NOT NULL, keywords text[], published date, details jsonb,
    publisher_id integer REFERENCES publishers,
    pages integer GENERATED ALWAYS AS ((details ->> 'pages')::integer) STORED,
    spoken_isbn text GENERATED ALWAYS AS (replace(isbn, '-', ' ')) STORED,
    updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE book_authors (isbn text REFERENCES books, author_id integer, PRIMARY KEY (isbn, author_id));
CREATE TABLE languages (code text PRIMARY KEY);
CREATE TABLE book_languages (isbn text REFERENCES books, language text, PRIMARY KEY (isbn, language));
CREATE TABLE subjects (id integer PRIMARY KEY, name text NOT NULL, updated_at timestamptz NOT NULL DEFAULT now());
CREATE TABLE book_subjects (isbn text REFERENCES books, subject_id integer, PRIMARY KEY (isbn, subject_id));
CREATE TABLE ratings (
    id integer PRIMARY KEY, isbn text REFERENCES books, stars smallint NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now()
);

INSERT INTO continents VALUES ('eu', 'Europe'), ('af', 'Africa');
INSERT INTO countries VALUES ('pt', 'Portugal', 'eu'), ('ke', 'Kenya', 'af');
INSERT INTO cities VALUES (1, 'Porto', 'pt'), (2, 'Nairobi', 'ke');
INSERT INTO publishers VALUES (1, 'Ribeira', true), (2, 'Savanna', false);
INSERT INTO authors VALUES (1, 'Rita Alves', '1961-02-03', 1), (2, 'Wanjiru Otieno', NULL, 2), (3, 'Nobody', NULL, NULL);
INSERT INTO books VALUES
    ('1-01', 'The Bridge', '{river,iron}', '2001-05-06', '{"pages": 320, "size": {"width": 12, "height": 19}}', 1),
    ('1-02', 'Two Rivers', NULL, '2011-07-08', '{"pages": 90}', 1),
    ('2-01', 'No Trace', '{}', NULL, NULL, NULL);
INSERT INTO book_authors VALUES ('1-01', 1), ('1-02', 1), ('1-02', 2);
INSERT INTO languages VALUES ('pt'), ('en');
INSERT INTO book_languages VALUES ('1-01', 'pt'), ('1-02', 'pt'), ('1-02', 'en');
INSERT INTO subjects VALUES (1, 'travel'), (2, 'history');
INSERT INTO book_subjects VALUES ('1-01', 1), ('1-01', 2), ('1-02', 1);
INSERT INTO ratings VALUES (1, '1-01', 5), (2, '1-01', 4), (3, '1-02', 3);
