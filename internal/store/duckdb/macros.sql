-- What the steps' SQL needs and the dialect lacks. The text of this file is part of every
-- step's version.

-- A number as written, without what people put around digits: a tech prefix (digits and #,
-- as trunks use), spaces, points, hyphens, parentheses. Most are clean and cost one match.
CREATE OR REPLACE MACRO phone_text(raw) AS
  CASE WHEN regexp_full_match(raw, '[+]?[0-9]*') THEN raw
       ELSE regexp_replace(regexp_replace(raw, '^ *[0-9]+#', ''), '[- .()\t\x{A0}]', '', 'g') END;

-- A number as written, as E.164; null where it is none (casefile.ReadE164, docs/numbers.md).
CREATE OR REPLACE MACRO e164(raw) AS nullif(read_e164(raw), 0);

-- The same of the number part of a caller id (casefile.ReadCallerID): e164(clid_number(raw)).
CREATE OR REPLACE MACRO clid_e164(raw) AS nullif(read_caller_id(raw), 0);

-- The same of what was dialled behind one of the prefixes, one a line (casefile.ReadDialled).
CREATE OR REPLACE MACRO dialled_e164(raw, prefixes) AS nullif(read_dialled(raw, prefixes), 0);

-- A caller id as SIP and Asterisk write it: "Name" <number>, Name <number>, a bare number, a
-- bare name. Its number part and its name part.
CREATE OR REPLACE MACRO clid_number(raw) AS
  CASE WHEN contains(raw, '<') THEN split_part(split_part(raw, '<', 2), '>', 1)
       WHEN regexp_full_match(raw, ' *[+0-9(][-+0-9 .()#]*') THEN raw END;
CREATE OR REPLACE MACRO clid_name(raw) AS
  CASE WHEN contains(raw, '<') THEN nullif(trim(split_part(raw, '<', 1), ' "'), '')
       WHEN regexp_full_match(raw, '( *[+0-9(][-+0-9 .()#]*)?') THEN NULL
       ELSE nullif(trim(raw, ' "'), '') END;

-- Wall-clock time of a zone as an instant; null where the clock showed that time twice or
-- never (the changes of the clocks).
CREATE OR REPLACE MACRO wall_time(t, zone) AS
  CASE WHEN timezone(zone, timezone(zone, t)) = t
        AND timezone(zone, timezone(zone, t) + INTERVAL 1 HOUR) <> t
        AND timezone(zone, timezone(zone, t) - INTERVAL 1 HOUR) <> t
       THEN timezone(zone, t) END;

-- The first four digits of an E.164 number: the key of dial_country.
CREATE OR REPLACE MACRO dial_prefix(n) AS
  CAST(CASE WHEN n >= 100000000000000 THEN n // 100000000000 WHEN n >= 10000000000000 THEN n // 10000000000
            WHEN n >= 1000000000000 THEN n // 1000000000 WHEN n >= 100000000000 THEN n // 100000000
            WHEN n >= 10000000000 THEN n // 10000000 WHEN n >= 1000000000 THEN n // 1000000
            WHEN n >= 100000000 THEN n // 100000 WHEN n >= 10000000 THEN n // 10000 ELSE n // 1000 END AS INTEGER);

-- Country of a British number: the Crown dependencies' blocks (Ofcom numbering data, March
-- 2023; all of 12 digits) lie among Britain's. The first digits of all other countries are in
-- dial_country.
CREATE OR REPLACE MACRO british_country(n) AS
  CASE WHEN n // 1000000 = 441481 OR n // 1000000 = 447781 OR n // 1000000 = 447839 OR n // 100000 = 4479111 OR n // 100000 = 4479117 THEN 'GG'
       WHEN n // 1000000 = 441534 OR n // 1000000 = 447509 OR n // 1000000 = 447829 OR n // 1000000 = 447937 OR n // 100000 = 4477003
         OR n // 100000 = 4477007 OR n // 100000 = 4477008 OR n // 100000 BETWEEN 4477977 AND 4477979 THEN 'JE'
       WHEN n // 1000000 = 441624 OR n // 1000000 = 447524 OR n // 1000000 = 447624 OR n // 1000000 = 447924 OR n // 100000 = 4474576 THEN 'IM'
       ELSE 'GB' END;

-- The key of uk_block, the British number plan (plan.go): a British number with ten national
-- digits; null for all others. What the plan says of many numbers:
--   SELECT n, status, provider, area FROM numbers ASOF LEFT JOIN uk_block ON british_key(n) >= number_from
CREATE OR REPLACE MACRO british_key(n) AS
  CASE WHEN n // 10000000000 = 44 THEN n WHEN n // 1000000000 = 44 THEN n * 10 END;

-- Amount in minor units, half up; at most 10^12 of them in the source's own unit.
CREATE OR REPLACE MACRO minor_units(amount) AS CAST(round(TRY_CAST(amount AS DECIMAL(18, 6)) * 100) AS BIGINT);

-- Value of satoshis at a price in minor units a bitcoin, rounded half up to the minor unit.
CREATE OR REPLACE MACRO sats_minor(sats, price_minor) AS
  CAST((CAST(sats AS HUGEINT) * CAST(price_minor AS HUGEINT) + 50000000) // 100000000 AS BIGINT);

-- Secrets in free text. A payment card's number, a code after a word that announces one (or
-- before "is your code"), and a password after its name are replaced by their kind and length:
-- [card 16], [code 6], [password 9]. Most texts hold none and cost one match.
CREATE OR REPLACE MACRO luhn(d) AS
  list_sum(list_transform(range(1, length(d) + 1), lambda i:
    CASE WHEN i % 2 = 1 THEN CAST(d[length(d) - i + 1] AS INTEGER)
         ELSE CAST(d[length(d) - i + 1] AS INTEGER) * 2 - CASE WHEN d[length(d) - i + 1] > '4' THEN 9 ELSE 0 END END)) % 10 = 0;

-- Card numbers of at least `least` digits; after a plus it is a telephone number. The list of
-- one text gives it a name, so that it is computed once.
CREATE OR REPLACE MACRO card_digits(c) AS replace(replace(replace(c, ' ', ''), '-', ''), '.', '');
CREATE OR REPLACE MACRO mask_cards(t, least) AS
  list_transform([t], lambda s: CASE WHEN regexp_matches(s, '[2-6](?:[ .-]{0,2}[0-9]){12}') THEN
    list_reduce(list_concat(regexp_extract_all(s, '(?:^|[^0-9+])([2-6][0-9]{12,18})', 1), regexp_extract_all(s, '[2-6][0-9]{3}[ .-]{1,2}[0-9]{4}[ .-]{1,2}[0-9]{4}[ .-]{1,2}[0-9]{1,7}'),
                            regexp_extract_all(s, '3[47][0-9]{2}[ .-]{1,2}[0-9]{6}[ .-]{1,2}[0-9]{5}'), regexp_extract_all(s, '[2-6](?:[ .-]?[0-9]){12,18}')),
      lambda a, c: CASE WHEN length(card_digits(c)) >= least AND NOT contains(a, '+' || c) AND luhn(card_digits(c))
                        THEN replace(a, c, '[card ' || length(card_digits(c)) || ']') ELSE a END, s)
  ELSE s END)[1];

-- The digits that stand where a code stands, once in each announcement.
CREATE OR REPLACE MACRO mask_codes(t) AS
  list_transform([t], lambda s: list_reduce(list_concat(
      regexp_extract_all(s, '(?is)(?:^|[^a-z])(?:pass ?codes?|codes?|one[- ]?time|otp|pins?|pin ?code|cvv2?|cvc2?|csc|tan|mtan|2fa|security number|memorable|passwords?)(?:[^a-z0-9].{0,40}?)?((?:^|[^0-9+])(?:[0-9]{4,8}|[0-9]{3}[ -][0-9]{3})(?:[^0-9]|$))', 1),
      regexp_extract_all(s, '(?is)(?:^|[^a-z])(?:cvv2?|cvc2?|csc|security code|card code)(?:[^a-z0-9].{0,24}?)?((?:^|[^0-9+])[0-9]{3}(?:[^0-9]|$))', 1),
      regexp_extract_all(s, '(?is)((?:^|[^0-9+])[0-9]{4,8} )is (?:your|the) .{0,40}?(?:code|pin|otp|password)', 1)),
    lambda a, c: replace(a, c, regexp_replace(c, '[0-9]{4,8}|[0-9]{3}[ -][0-9]{3}|[0-9]{3}', '[code ' || length(regexp_replace(c, '[^0-9]', '', 'g')) || ']')), s))[1];

CREATE OR REPLACE MACRO mask_passwords(t) AS
  list_transform([t], lambda s: CASE WHEN regexp_matches(s, '(?i)pass|pwd|secret|memorable') THEN
    list_reduce(list_concat(
        regexp_extract_all(s, '(?i)(?:^|[^a-z])(?:[a-z]*password|passwd|passphrase|passwort|pwd|pass|secret|memorable (?:word|name|place))["'']?\s*(?:is|[:=]+)\s*"([^"]{3,128})"', 1),
        regexp_extract_all(s, '(?i)(?:^|[^a-z])(?:[a-z]*password|passwd|passphrase|passwort|pwd|pass|secret|memorable (?:word|name|place))["'']?\s*(?:is\s|[:=]+)\s*["'']?([^\s"''<>\[]{3,128})', 1)),
      lambda a, c: replace(a, c, '[password ' || length(c) || ']'), s)
  ELSE s END)[1];

-- A cheap look for the words that announce a secret in the macros above; most text has none.
CREATE OR REPLACE MACRO mask_word(x) AS
  regexp_matches(x, '(?i)code|one.?time|otp|pin|cv[vc]|csc|(?:^|[^a-z])m?tan[^a-z]|2fa|security number|memorable|pass|pwd|secret');

CREATE OR REPLACE MACRO masked_text(x, least) AS
  CASE WHEN NOT regexp_matches(x, '[0-9]{3}|(?i)pass|pwd|secret|memorable') THEN x
       WHEN NOT mask_word(x) AND NOT regexp_matches(x, '[0-9][0-9 .-]{11}') THEN x
       ELSE mask_codes(mask_codes(mask_passwords(mask_cards(x, least)))) END;

-- Free text, and a number as written: a telephone number has at most 15 digits.
CREATE OR REPLACE MACRO masked(x) AS masked_text(x, 13);
CREATE OR REPLACE MACRO masked_number(x) AS
  CASE WHEN length(x) < 16 AND x BETWEEN '+' AND ':' THEN x
       WHEN NOT mask_word(x) AND NOT regexp_matches(x, '[0-9](?:[ .-]{0,2}[0-9]){15}') THEN x
       ELSE masked_text(x, 16) END;
