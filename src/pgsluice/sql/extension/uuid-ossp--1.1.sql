-- The functions of the contrib extension uuid-ossp 1.1, with the same names, arguments and results.
-- Sources: https://www.postgresql.org/docs/18/uuid-ossp.html and RFC 9562, sections 5.1, 5.3, 5.4, 5.5 and 6.6.
--
-- One difference: uuid_generate_v1() has a random node number instead of the address of a network card, as
-- uuid_generate_v1mc() has. SQL does not know the address.
--
-- The bodies are BEGIN ATOMIC: PostgreSQL resolves their names when it creates the function, so the functions work with
-- any search path and in any schema.

CREATE FUNCTION uuid_nil() RETURNS uuid IMMUTABLE STRICT PARALLEL SAFE
BEGIN ATOMIC SELECT '00000000-0000-0000-0000-000000000000'::uuid; END;

CREATE FUNCTION uuid_ns_dns() RETURNS uuid IMMUTABLE STRICT PARALLEL SAFE
BEGIN ATOMIC SELECT '6ba7b810-9dad-11d1-80b4-00c04fd430c8'::uuid; END;

CREATE FUNCTION uuid_ns_url() RETURNS uuid IMMUTABLE STRICT PARALLEL SAFE
BEGIN ATOMIC SELECT '6ba7b811-9dad-11d1-80b4-00c04fd430c8'::uuid; END;

CREATE FUNCTION uuid_ns_oid() RETURNS uuid IMMUTABLE STRICT PARALLEL SAFE
BEGIN ATOMIC SELECT '6ba7b812-9dad-11d1-80b4-00c04fd430c8'::uuid; END;

CREATE FUNCTION uuid_ns_x500() RETURNS uuid IMMUTABLE STRICT PARALLEL SAFE
BEGIN ATOMIC SELECT '6ba7b814-9dad-11d1-80b4-00c04fd430c8'::uuid; END;

CREATE FUNCTION uuid_generate_v4() RETURNS uuid VOLATILE STRICT PARALLEL SAFE
BEGIN ATOMIC SELECT gen_random_uuid(); END;

-- Time in units of 100 ns since 1582-10-15, 14 random bits (clock sequence), 48 random bits (node, with the multicast
-- bit). The clock of PostgreSQL counts microseconds; a random digit stands for the rest.
CREATE FUNCTION uuid_generate_v1mc() RETURNS uuid VOLATILE STRICT PARALLEL SAFE
BEGIN ATOMIC
  SELECT (substr(ticks, 9, 8) || substr(ticks, 5, 4) || '1' || substr(ticks, 2, 3)
          || encode(set_byte(substr(random, 1, 2), 0, (get_byte(random, 0) & 63) | 128), 'hex')
          || encode(set_byte(substr(random, 11, 6), 0, get_byte(random, 10) | 3), 'hex'))::uuid
  FROM (
    SELECT uuid_send(gen_random_uuid()) AS random,
           lpad(to_hex((extract(epoch FROM clock_timestamp()) * 10000000 + 122192928000000000)::bigint
                       + floor(random() * 10)::bigint), 16, '0') AS ticks
  ) AS parts;
END;

CREATE FUNCTION uuid_generate_v1() RETURNS uuid VOLATILE STRICT PARALLEL SAFE
BEGIN ATOMIC SELECT uuid_generate_v1mc(); END;

-- The first 16 bytes of a hash with the version and the variant of a UUID.
CREATE FUNCTION uuid_ossp_from_hash(hash bytea, version integer) RETURNS uuid IMMUTABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
  SELECT encode(set_byte(set_byte(substr(hash, 1, 16), 6, (get_byte(hash, 6) & 15) | (version << 4)),
                         8, (get_byte(hash, 8) & 63) | 128), 'hex')::uuid;
END;

CREATE FUNCTION uuid_generate_v3(namespace uuid, name text) RETURNS uuid IMMUTABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
  SELECT uuid_ossp_from_hash(decode(md5(uuid_send(namespace) || convert_to(name, getdatabaseencoding())), 'hex'), 3);
END;

-- SHA-1 (FIPS 180-4, section 6.1); PostgreSQL has MD5 and SHA-2 only. The same function is in pgcrypto--1.4.sql.
CREATE FUNCTION uuid_ossp_sha1(data bytea) RETURNS bytea LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  low32 CONSTANT bigint := 4294967295;
  message CONSTANT bytea := data || '\x80'::bytea
    || decode(repeat('00', (119 - length(data) % 64) % 64), 'hex') || int8send(length(data)::bigint * 8);
  w bigint[];
  h0 bigint := 1732584193; h1 bigint := 4023233417; h2 bigint := 2562383102; h3 bigint := 271733878;
  h4 bigint := 3285377520;
  a bigint; b bigint; c bigint; d bigint; e bigint; f bigint; k bigint; x bigint;
BEGIN
  FOR start IN 0 .. length(message) - 64 BY 64 LOOP
    FOR t IN 0 .. 15 LOOP
      w[t] := (get_byte(message, start + 4 * t)::bigint << 24) | (get_byte(message, start + 4 * t + 1) << 16)
            | (get_byte(message, start + 4 * t + 2) << 8) | get_byte(message, start + 4 * t + 3);
    END LOOP;
    FOR t IN 16 .. 79 LOOP
      x := w[t - 3] # w[t - 8] # w[t - 14] # w[t - 16];
      w[t] := ((x << 1) | (x >> 31)) & low32;
    END LOOP;
    a := h0; b := h1; c := h2; d := h3; e := h4;
    FOR t IN 0 .. 79 LOOP
      IF t < 20 THEN
        f := (b & c) | ((b # low32) & d); k := 1518500249;
      ELSIF t < 40 THEN
        f := b # c # d; k := 1859775393;
      ELSIF t < 60 THEN
        f := (b & c) | (b & d) | (c & d); k := 2400959708;
      ELSE
        f := b # c # d; k := 3395469782;
      END IF;
      x := ((((a << 5) | (a >> 27)) & low32) + f + e + k + w[t]) & low32;
      e := d; d := c; c := ((b << 30) | (b >> 2)) & low32; b := a; a := x;
    END LOOP;
    h0 := (h0 + a) & low32; h1 := (h1 + b) & low32; h2 := (h2 + c) & low32; h3 := (h3 + d) & low32;
    h4 := (h4 + e) & low32;
  END LOOP;
  RETURN substr(int8send(h0), 5) || substr(int8send(h1), 5) || substr(int8send(h2), 5) || substr(int8send(h3), 5)
      || substr(int8send(h4), 5);
END
$$;

CREATE FUNCTION uuid_generate_v5(namespace uuid, name text) RETURNS uuid IMMUTABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
  SELECT uuid_ossp_from_hash(uuid_ossp_sha1(uuid_send(namespace) || convert_to(name, getdatabaseencoding())), 5);
END;
