-- The rule of casefile.ReadE164 in SQL: what the function is compared with. phone_text is the
-- engine's own (macros.sql).

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

CREATE OR REPLACE MACRO rule_e164(raw) AS digits_e164(phone_digits(phone_text(raw)));
