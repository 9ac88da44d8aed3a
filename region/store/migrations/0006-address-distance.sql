-- The index that keeps addresses apart must know how far apart they are: a range type without a distance gives every page
-- the same penalty, so neighbours are scattered and each insert looks at more pages the more addresses there are.
CREATE FUNCTION inet_distance(a inet, b inet) RETURNS float8 LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
  x bytea;
  y bytea;
BEGIN
  -- Farther than any two of one family can be.
  IF family(a) <> family(b) THEN RETURN 1e39; END IF;
  IF family(a) = 4 THEN RETURN a - b; END IF;
  -- Subtraction of inet gives a bigint, which two IPv6 addresses can overflow: so in parts of 56, 56 and 16 bits.
  -- inet_send gives four bytes before the address.
  x := inet_send(a);
  y := inet_send(b);
  RETURN (('x' || encode(substring(x FROM 5 FOR 7), 'hex'))::bit(56)::bigint
      - ('x' || encode(substring(y FROM 5 FOR 7), 'hex'))::bit(56)::bigint) * 2::float8 ^ 72
    + (('x' || encode(substring(x FROM 12 FOR 7), 'hex'))::bit(56)::bigint
      - ('x' || encode(substring(y FROM 12 FOR 7), 'hex'))::bit(56)::bigint) * 2::float8 ^ 16
    + (('x' || encode(substring(x FROM 19 FOR 2), 'hex'))::bit(16)::integer
      - ('x' || encode(substring(y FROM 19 FOR 2), 'hex'))::bit(16)::integer);
END $$;

-- A distance cannot be added to a range type, so the type is made anew; as text a range keeps its bounds.
ALTER TABLE address_spans DROP CONSTRAINT address_spans_span_excl;
ALTER TABLE address_spans ALTER COLUMN span TYPE text USING span::text;
DROP TYPE inetrange;
CREATE TYPE inetrange AS RANGE (subtype = inet, subtype_diff = inet_distance);
ALTER TABLE address_spans ALTER COLUMN span TYPE inetrange USING span::inetrange;
ALTER TABLE address_spans ADD CONSTRAINT address_spans_span_excl
  EXCLUDE USING gist (span WITH &&) WHERE (kind IN ('auto','sticky','user-reserved','dynamic-range'));
