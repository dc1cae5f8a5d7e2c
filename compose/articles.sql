-- A table to begin with: a trigger keeps updated_at, an index serves the poll.
CREATE TABLE articles (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    title text NOT NULL,
    body text NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX ON articles (updated_at, id);

CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.updated_at := now();
    RETURN NEW;
END
$$;

CREATE TRIGGER touch BEFORE INSERT OR UPDATE ON articles FOR EACH ROW EXECUTE FUNCTION touch();

INSERT INTO articles (title, body) VALUES
    ('Keeping bread fresh', 'Store a loaf cut side down in a wooden box, never in the fridge.'),
    ('A first telescope', 'Aperture matters more than magnification: begin with binoculars.'),
    ('Mending a bicycle tyre', 'Find the hole under water, dry and roughen the rubber, then glue the patch.');
