CREATE TABLE question (
    topic text, number integer, wording text NOT NULL, withdrawn boolean NOT NULL DEFAULT false,
    updated_at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (topic, number)
);
CREATE TABLE answer (id integer PRIMARY KEY, wording text NOT NULL, updated_at timestamptz NOT NULL DEFAULT now());
CREATE TABLE offered (
    topic text, number integer, answer_id integer, updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (topic, number, answer_id)
);
CREATE TABLE correct (
    topic text, number integer, answer_id integer, updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (topic, number)
);

INSERT INTO question VALUES
    ('sea', 1, 'How deep?', false), ('sea', 2, 'How salty?', false), ('a|b', 1, 'Which?', false), ('sky', 1, 'Why?', true);
INSERT INTO answer VALUES (1, 'Very'), (2, 'Hardly'), (3, 'Both');
INSERT INTO offered VALUES ('sea', 1, 1), ('sea', 1, 2), ('sea', 2, 1), ('a|b', 1, 3), ('sky', 1, 1);
INSERT INTO correct VALUES ('sea', 1, 1), ('sea', 2, 1);
