-- What the steps' SQL needs and the dialect lacks. The text of this file is part of every
-- step's version.

-- A number as written, without what people put around digits: a tech prefix (digits and #,
-- as trunks use), spaces, points, hyphens, parentheses. Most are clean and cost one match.
CREATE OR REPLACE MACRO phone_text(raw) AS
  CASE WHEN regexp_full_match(raw, '[+]?[0-9]*') THEN raw
       ELSE regexp_replace(regexp_replace(raw, '^ *[0-9]+#', ''), '[- .()\t\x{A0}]', '', 'g') END;

-- The digits of an international number, from text that phone_text made; null where the
-- text does not say which country's number it is. A national number (one leading 0) is British.
CREATE OR REPLACE MACRO phone_digits(s) AS
  CASE WHEN s[1] = '+' THEN CASE WHEN starts_with(s, '+440') THEN '44' || s[5:] ELSE s[2:] END
       WHEN s[1] <> '0' THEN CASE WHEN starts_with(s, '44') OR length(s) BETWEEN 11 AND 15 THEN s END
       WHEN s[2] <> '0' THEN '44' || s[2:]
       WHEN starts_with(s, '00440') THEN '44' || s[6:]
       ELSE s[3:] END;

-- ITU-T E.164 as a number: 7 to 15 digits; British national numbers have 9 or 10.
CREATE OR REPLACE MACRO digits_e164(d) AS
  CASE WHEN regexp_full_match(d, '44[1-9][0-9]{8,9}|4[0-35-9][0-9]{5,13}|[1-35-9][0-9]{6,14}') THEN CAST(d AS BIGINT) END;

CREATE OR REPLACE MACRO e164(raw) AS digits_e164(phone_digits(phone_text(raw)));

-- A caller id as SIP and Asterisk write it: "Name" <number>, Name <number>, a bare number, a
-- bare name. Its number part and its name part.
CREATE OR REPLACE MACRO clid_number(raw) AS
  CASE WHEN contains(raw, '<') THEN regexp_extract(raw, '<([^>]*)', 1)
       WHEN regexp_matches(raw, '^[ ]*[+0-9(][-+0-9 .()#]*$') THEN raw END;
CREATE OR REPLACE MACRO clid_name(raw) AS
  CASE WHEN contains(raw, '<') THEN nullif(trim(split_part(raw, '<', 1), ' "'), '')
       WHEN raw = '' OR regexp_matches(raw, '^[ ]*[+0-9(][-+0-9 .()#]*$') THEN NULL
       ELSE nullif(trim(raw, ' "'), '') END;

-- Wall-clock time of a zone as an instant; null where the clock showed that time twice or
-- never (the changes of the clocks).
CREATE OR REPLACE MACRO wall_time(t, zone) AS
  CASE WHEN timezone(zone, timezone(zone, t)) = t
        AND timezone(zone, timezone(zone, t) + INTERVAL 1 HOUR) <> t
        AND timezone(zone, timezone(zone, t) - INTERVAL 1 HOUR) <> t
       THEN timezone(zone, t) END;

-- Country of a British number: the Crown dependencies' blocks (Ofcom numbering data, March
-- 2023) lie among Britain's. The first digits of all other countries are in dial_country.
CREATE OR REPLACE MACRO british_country(d) AS
  CASE WHEN substr(d, 1, 6) IN ('441481', '447781', '447839') OR substr(d, 1, 7) IN ('4479111', '4479117') THEN 'GG'
       WHEN substr(d, 1, 6) IN ('441534', '447509', '447829', '447937') OR substr(d, 1, 7) IN ('4477003', '4477007', '4477008', '4477977', '4477978', '4477979') THEN 'JE'
       WHEN substr(d, 1, 6) IN ('441624', '447524', '447624', '447924') OR substr(d, 1, 7) = '4474576' THEN 'IM'
       ELSE 'GB' END;

-- Decimal amount in minor units, half up.
CREATE OR REPLACE MACRO minor_units(amount) AS CAST(round(CAST(amount AS DECIMAL(38, 8)) * 100) AS BIGINT);

-- Value of satoshis at a price in minor units a bitcoin, rounded half up to the minor unit.
CREATE OR REPLACE MACRO sats_minor(sats, price_minor) AS
  CAST((CAST(sats AS HUGEINT) * CAST(price_minor AS HUGEINT) + 50000000) // 100000000 AS BIGINT);
