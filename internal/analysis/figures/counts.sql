-- What many figures count, gathered in one reading of the calls each: answered calls of user
-- accounts by minute; of the published year, those by country and institution, and the long
-- ones by number and account.
WITH by_minute AS MATERIALIZED (
  SELECT epoch_us(started_at) // 60000000 AS minute, count(*) AS calls, count(*) FILTER (WHERE called_country = 'GB') AS uk,
    count(*) FILTER (WHERE called_country = 'GB' AND talk_s > 60) AS long_uk
  FROM call_verdict WHERE NOT staff AND outcome = 'answered' AND started_at IS NOT NULL GROUP BY 1
),
by_place AS MATERIALIZED (
  SELECT called_country AS country, CASE WHEN grade IN ('A*', 'A', 'B', 'C') THEN institution_id END AS institution_id, count(*) AS calls
  FROM call_verdict WHERE NOT staff AND outcome = 'answered' AND started_at >= timezone($zone, TIMESTAMP '2021-08-01') AND started_at < timezone($zone, TIMESTAMP '2022-08-01') GROUP BY ALL
),
long_call AS MATERIALIZED (
  SELECT DISTINCT called_e164, called_country AS country, account_id
  FROM call_verdict WHERE NOT staff AND outcome = 'answered' AND talk_s > 60 AND called_e164 IS NOT NULL
    AND started_at >= timezone($zone, TIMESTAMP '2021-08-01') AND started_at < timezone($zone, TIMESTAMP '2022-08-01')
)
