-- Which country an account may concern, and why: one row for each basis, the one that decides marked.
-- The claim comes first, then the telephone, then, where neither is known, the country of at least
-- half of the answered calls. An account without any has one row, without a country.
WITH basis AS (
  SELECT account_id, 1 AS place, 'claimed' AS basis, country_claimed AS country, 'the account claims it' AS reasons FROM suspect WHERE country_claimed IS NOT NULL
  UNION ALL SELECT account_id, 2, 'phone', country_phone, 'the telephone of the account is of it' FROM suspect WHERE country_phone IS NOT NULL
  UNION ALL SELECT account_id, 3, 'targets', country_target, round(100 * target_share, 1) || ' % of its answered calls went there' FROM suspect WHERE target_share >= 0.5
),
placed AS (
  SELECT s.account_id, b.country, coalesce(b.basis, 'none') AS basis, row_number() OVER (PARTITION BY s.account_id ORDER BY b.place) = 1 AS decides,
    coalesce(b.reasons, 'neither claim nor telephone nor calls name a country') AS reasons, s.ref_source, s.ref_table, s.ref_row, s.ref_offset, b.place
  FROM suspect s LEFT JOIN basis b USING (account_id)
)
SELECT * EXCLUDE (place) FROM placed ORDER BY account_id, place
