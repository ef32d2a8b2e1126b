-- Which numbers user accounts talked with for more than 60 seconds in the published year.
SELECT * FROM was
UNION
SELECT called_e164, called_country, account_id
FROM call_verdict_added WHERE NOT staff AND outcome = 'answered' AND talk_s > 60 AND called_e164 IS NOT NULL
  AND started_at >= timezone($zone, TIMESTAMP '2021-08-01') AND started_at < timezone($zone, TIMESTAMP '2022-08-01')
ORDER BY ALL
