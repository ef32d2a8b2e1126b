-- What was lost, under three definitions of what counts: all reports; those with a strictly
-- linked call; those with a linked call, strictly or loosely. Of each, the sum by currency as
-- it was reported, and all of it in pounds and in euros at the rate of the UTC day on which the
-- incident began (or of the report). Where the list of rates has no such day, the report
-- counts in without_rate, and the sum is a lower bound.
WITH linked AS (SELECT report_id, bool_or(strict) AS strict FROM report_link GROUP BY report_id),
report AS (
  SELECT r.report_id, r.currency, r.amount_minor, l.report_id IS NOT NULL AS loose, coalesce(l.strict, false) AS strict,
    DATE '1970-01-01' + CAST(epoch_us(coalesce(r.incident_from, r.reported_at)) // 86400000000 AS INTEGER) AS rate_day
  FROM loss_report r LEFT JOIN linked l USING (report_id)
),
counted AS (
  SELECT 'reported' AS definition, 1 AS place, * FROM report
  UNION ALL SELECT 'linked strictly', 2, * FROM report WHERE strict
  UNION ALL SELECT 'linked loosely', 3, * FROM report WHERE loose
),
-- Prices of one unit of a currency in another, in 10^-8; the inverse of a quotation will do.
price AS (
  SELECT asset AS had, currency AS wanted, "at" AS rate_day, max(price_e8) AS e8 FROM rate WHERE asset <> 'BTC' AND price_e8 > 0 GROUP BY ALL
),
quoted AS (
  SELECT had, wanted, rate_day, e8 AS times, 100000000 AS parts FROM price
  UNION ALL SELECT wanted, had, rate_day, 100000000, e8 FROM price i
  WHERE NOT EXISTS (SELECT 1 FROM price p WHERE p.had = i.wanted AND p.wanted = i.had AND p.rate_day = i.rate_day)
),
valued AS (
  SELECT c.*, w.wanted, CASE WHEN c.currency = w.wanted THEN c.amount_minor ELSE CAST((2 * CAST(c.amount_minor AS HUGEINT) * q.times + q.parts) // (2 * CAST(q.parts AS HUGEINT)) AS BIGINT) END AS minor
  FROM counted c CROSS JOIN (SELECT unnest(['GBP', 'EUR']) AS wanted) w
  LEFT JOIN quoted q ON q.had = c.currency AND q.wanted = w.wanted AND q.rate_day = c.rate_day
)
SELECT definition, currency, basis, reports, amount_minor, without_amount, without_rate FROM (
  SELECT definition, place, coalesce(currency, '') AS currency, 'as reported' AS basis, count(*) AS reports, coalesce(sum(amount_minor), 0)::BIGINT AS amount_minor,
    count(*) FILTER (WHERE amount_minor IS NULL) AS without_amount, 0 AS without_rate
  FROM counted GROUP BY ALL
  UNION ALL
  SELECT definition, place, wanted, 'all currencies, at the rate of the day', count(*), coalesce(sum(minor), 0)::BIGINT,
    count(*) FILTER (WHERE amount_minor IS NULL), count(*) FILTER (WHERE amount_minor IS NOT NULL AND minor IS NULL)
  FROM valued GROUP BY ALL
)
ORDER BY place, basis, currency
