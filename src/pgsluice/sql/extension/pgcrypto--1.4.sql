-- The contrib extension pgcrypto 1.4 as far as SQL can have it: random values, digest() and hmac() give the results of
-- pgcrypto. The other functions exist with their arguments, so that a schema which names them can be created, and raise
-- an error when they are called.
-- Source: https://www.postgresql.org/docs/18/pgcrypto.html
--
-- The bodies are BEGIN ATOMIC: PostgreSQL resolves their names when it creates the function, so the functions work with
-- any search path and in any schema.

CREATE FUNCTION gen_random_uuid() RETURNS uuid VOLATILE PARALLEL SAFE
BEGIN ATOMIC SELECT pg_catalog.gen_random_uuid(); END;

CREATE FUNCTION fips_mode() RETURNS boolean VOLATILE STRICT PARALLEL SAFE
BEGIN ATOMIC SELECT false; END;

-- Raises an invalid_parameter_value error with the message. VOLATILE, because the planner evaluates an immutable function
-- with constant arguments, also in a branch of CASE that is never taken.
CREATE FUNCTION pgcrypto_invalid(message text) RETURNS bytea LANGUAGE plpgsql VOLATILE STRICT PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$ BEGIN RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = message; END $$;

-- A random UUID has 13 bytes that are random to the last bit; version and variant are in the other three.
CREATE FUNCTION gen_random_bytes(integer) RETURNS bytea VOLATILE STRICT PARALLEL SAFE
BEGIN ATOMIC
  SELECT CASE WHEN $1 BETWEEN 1 AND 1024
    THEN (SELECT substr(string_agg(substr(id, 1, 6) || substr(id, 10, 7), ''), 1, $1)
          FROM (SELECT uuid_send(pg_catalog.gen_random_uuid()) AS id FROM generate_series(0, $1 / 13)) AS ids)
    ELSE pgcrypto_invalid('Length not in range')
  END;
END;

-- SHA-1 (FIPS 180-4, section 6.1); PostgreSQL has MD5 and SHA-2 only. The same function is in uuid-ossp--1.1.sql.
CREATE FUNCTION pgcrypto_sha1(data bytea) RETURNS bytea LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE
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

CREATE FUNCTION digest(bytea, text) RETURNS bytea IMMUTABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
  SELECT CASE lower($2)
    WHEN 'md5' THEN decode(md5($1), 'hex')
    WHEN 'sha1' THEN pgcrypto_sha1($1)
    WHEN 'sha224' THEN sha224($1)
    WHEN 'sha256' THEN sha256($1)
    WHEN 'sha384' THEN sha384($1)
    WHEN 'sha512' THEN sha512($1)
    ELSE pgcrypto_invalid('Cannot use "' || $2 || '": No such hash algorithm')
  END;
END;

CREATE FUNCTION digest(text, text) RETURNS bytea IMMUTABLE STRICT PARALLEL SAFE
BEGIN ATOMIC SELECT digest(convert_to($1, getdatabaseencoding()), $2); END;

-- The key, filled with zeros up to the size of a block, each byte XOR the pad.
CREATE FUNCTION pgcrypto_pad(key bytea, size integer, pad integer) RETURNS bytea
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  padded bytea := key || decode(repeat('00', size - length(key)), 'hex');
BEGIN
  FOR i IN 0 .. size - 1 LOOP
    padded := set_byte(padded, i, get_byte(padded, i) # pad);
  END LOOP;
  RETURN padded;
END
$$;

-- RFC 2104. SHA-384 and SHA-512 have blocks of 128 bytes, the others of 64 bytes.
CREATE FUNCTION hmac(bytea, bytea, text) RETURNS bytea IMMUTABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
  SELECT digest(pgcrypto_pad(key, size, 92) || digest(pgcrypto_pad(key, size, 54) || $1, $3), $3)
  FROM (SELECT CASE WHEN lower($3) IN ('sha384', 'sha512') THEN 128 ELSE 64 END AS size) AS block,
       LATERAL (SELECT CASE WHEN length($2) > size THEN digest($2, $3) ELSE $2 END AS key) AS short;
END;

CREATE FUNCTION hmac(text, text, text) RETURNS bytea IMMUTABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
  SELECT hmac(convert_to($1, getdatabaseencoding()), convert_to($2, getdatabaseencoding()), $3);
END;

-- The functions that raise an error: name, arguments, result, volatility as in pgcrypto.
DO $do$
DECLARE
  missing record;
BEGIN
  FOR missing IN
    SELECT * FROM (VALUES
      ('crypt', 'text, text', 'text', 'IMMUTABLE'),
      ('gen_salt', 'text', 'text', 'VOLATILE'),
      ('gen_salt', 'text, integer', 'text', 'VOLATILE'),
      ('encrypt', 'bytea, bytea, text', 'bytea', 'IMMUTABLE'),
      ('decrypt', 'bytea, bytea, text', 'bytea', 'IMMUTABLE'),
      ('encrypt_iv', 'bytea, bytea, bytea, text', 'bytea', 'IMMUTABLE'),
      ('decrypt_iv', 'bytea, bytea, bytea, text', 'bytea', 'IMMUTABLE'),
      ('armor', 'bytea', 'text', 'IMMUTABLE'),
      ('armor', 'bytea, text[], text[]', 'text', 'IMMUTABLE'),
      ('dearmor', 'text', 'bytea', 'IMMUTABLE'),
      ('pgp_armor_headers', 'text, OUT key text, OUT value text', 'SETOF record', 'IMMUTABLE'),
      ('pgp_key_id', 'bytea', 'text', 'IMMUTABLE'),
      ('pgp_sym_encrypt', 'text, text', 'bytea', 'VOLATILE'),
      ('pgp_sym_encrypt', 'text, text, text', 'bytea', 'VOLATILE'),
      ('pgp_sym_encrypt_bytea', 'bytea, text', 'bytea', 'VOLATILE'),
      ('pgp_sym_encrypt_bytea', 'bytea, text, text', 'bytea', 'VOLATILE'),
      ('pgp_sym_decrypt', 'bytea, text', 'text', 'IMMUTABLE'),
      ('pgp_sym_decrypt', 'bytea, text, text', 'text', 'IMMUTABLE'),
      ('pgp_sym_decrypt_bytea', 'bytea, text', 'bytea', 'IMMUTABLE'),
      ('pgp_sym_decrypt_bytea', 'bytea, text, text', 'bytea', 'IMMUTABLE'),
      ('pgp_pub_encrypt', 'text, bytea', 'bytea', 'VOLATILE'),
      ('pgp_pub_encrypt', 'text, bytea, text', 'bytea', 'VOLATILE'),
      ('pgp_pub_encrypt_bytea', 'bytea, bytea', 'bytea', 'VOLATILE'),
      ('pgp_pub_encrypt_bytea', 'bytea, bytea, text', 'bytea', 'VOLATILE'),
      ('pgp_pub_decrypt', 'bytea, bytea', 'text', 'IMMUTABLE'),
      ('pgp_pub_decrypt', 'bytea, bytea, text', 'text', 'IMMUTABLE'),
      ('pgp_pub_decrypt', 'bytea, bytea, text, text', 'text', 'IMMUTABLE'),
      ('pgp_pub_decrypt_bytea', 'bytea, bytea', 'bytea', 'IMMUTABLE'),
      ('pgp_pub_decrypt_bytea', 'bytea, bytea, text', 'bytea', 'IMMUTABLE'),
      ('pgp_pub_decrypt_bytea', 'bytea, bytea, text, text', 'bytea', 'IMMUTABLE')
    ) AS functions (name, arguments, result, volatility)
  LOOP
    EXECUTE format(
      'CREATE FUNCTION %I(%s) RETURNS %s LANGUAGE plpgsql %s STRICT PARALLEL SAFE AS %L',
      missing.name, missing.arguments, missing.result, missing.volatility,
      format(
        'BEGIN RAISE EXCEPTION USING ERRCODE = ''feature_not_supported'', MESSAGE = %L, HINT = %L; END',
        missing.name || '() of pgcrypto is not available on the embedded server',
        'Use a server with the contrib extension pgcrypto.'
      )
    );
  END LOOP;
END
$do$;
